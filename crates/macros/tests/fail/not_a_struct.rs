//! A declaration is a struct with named fields.

use sessile_core::{Namespaces, Values};

#[derive(Values)]
enum Enum {
    UserId(u64),
}

#[derive(Namespaces)]
union Union {
    a: u64,
    b: u32,
}

#[derive(Values)]
struct Tuple(u64, String);

#[derive(Namespaces)]
struct Unit;

fn main() {}
