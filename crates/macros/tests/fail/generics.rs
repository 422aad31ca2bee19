//! A declaration has no generic parameters.

use sessile_core::{Namespaces, Values};

#[derive(Values)]
struct Type<T> {
    value: T,
}

#[derive(Namespaces)]
struct Lifetime<'a> {
    value: &'a str,
}

#[derive(Values)]
struct Constant<const N: usize> {
    value: [u8; N],
}

#[derive(Values)]
struct Clause
where
    u64: Copy,
{
    value: u64,
}

fn main() {}
