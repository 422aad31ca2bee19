//! Names are unique and not empty.

use sessile_core::{Namespaces, Values};

#[derive(Values)]
#[session(crate = "sessile_core")]
struct Renamed {
    user_id: u64,
    #[session(rename = "user_id")]
    other: u64,
}

#[derive(Values)]
#[session(crate = "sessile_core", rename_all = "camelCase")]
struct Cased {
    user_id: u64,
    user__id: u64,
}

#[derive(Values)]
#[session(crate = "sessile_core")]
struct Constants {
    user_id: u64,
    #[allow(non_snake_case)]
    User_Id: u64,
}

#[derive(Namespaces)]
#[session(crate = "sessile_core")]
struct Empty {
    #[session(rename = "")]
    cart: sessile_core::Untyped,
}

#[derive(Values)]
#[session(crate = "sessile_core", rename_all = "camelCase")]
struct Underscores {
    __: u64,
}

/// All errors are reported at once.
#[derive(Values)]
#[session(crate = "sessile_core")]
struct Several {
    a: u64,
    #[session(rename = "a")]
    b: u64,
    #[session(rename = "")]
    c: u64,
    #[session(rename = "a")]
    d: u64,
}

fn main() {}
