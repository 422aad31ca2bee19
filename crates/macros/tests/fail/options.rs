//! Options that are unknown, misplaced, repeated or malformed.

use sessile_core::{Namespaces, Values};

#[derive(Values)]
struct UnknownOnField {
    #[session(expires = 5)]
    user_id: u64,
}

#[derive(Namespaces)]
#[session(name = "x")]
struct UnknownOnStruct {
    cart: sessile_core::Untyped,
}

#[derive(Values)]
#[session(rename = "x")]
struct FieldOptionOnStruct {
    user_id: u64,
}

#[derive(Values)]
struct StructOptionOnField {
    #[session(rename_all = "camelCase")]
    user_id: u64,
}

#[derive(Values)]
#[session(rename_all = "Camel")]
struct UnknownCase {
    user_id: u64,
}

#[derive(Values)]
struct Twice {
    #[session(rename = "a", rename = "b")]
    user_id: u64,
    #[session(rename = "c")]
    #[session(rename = "d")]
    roles: u64,
}

#[derive(Values)]
struct NotText {
    #[session(rename = uid)]
    user_id: u64,
}

#[derive(Values)]
struct NoValue {
    #[session(expiration)]
    user_id: u64,
}

#[derive(Values)]
#[session(crate = "no path")]
struct NotAPath {
    user_id: u64,
}

#[derive(Values)]
struct Bare {
    #[session]
    user_id: u64,
}

#[derive(Values)]
struct UnknownPolicy {
    #[session(on_mismatch = "ignore")]
    user_id: u64,
}

#[derive(Namespaces)]
struct NotOfNamespaces {
    #[session(alias = "basket")]
    cart: sessile_core::Untyped,
    #[session(on_mismatch = "unset")]
    draft: sessile_core::Untyped,
    #[session(migrate = from)]
    rest: sessile_core::Untyped,
}

#[derive(Values)]
struct Aliases {
    #[session(alias = "")]
    empty: u64,
    #[session(alias = "own")]
    own: u64,
    #[session(alias = "same", alias = "same")]
    twice: u64,
    #[session(alias = "own")]
    of_another: u64,
}

#[derive(Values)]
struct Same {
    #[session(alias = "a")]
    one: u64,
    #[session(alias = "one")]
    two: u64,
    #[session(rename = "a")]
    three: u64,
}

fn main() {}
