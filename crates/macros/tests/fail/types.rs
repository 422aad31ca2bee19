//! Type errors, reported at the place of the mistake.

use sessile_core::{Namespaces, Values};

struct Undeclared {
    items: Vec<String>,
}

#[derive(Namespaces)]
#[session(crate = "sessile_core")]
struct Shop {
    cart: Undeclared,
}

#[derive(Values)]
#[session(crate = "sessile_core")]
struct Account {
    #[session(expiration = 20)]
    user_id: u64,
}

fn main() {}
