//! Policies that do not fit the type of their field.

use sessile_core::Values;

struct NoDefault;

fn from_text(old: String) -> Option<u64> {
    old.parse().ok()
}

#[derive(Values)]
#[session(crate = "sessile_core")]
struct Account {
    #[session(on_mismatch = "default")]
    user: NoDefault,
    #[session(migrate = from_text)]
    roles: u64,
}

fn main() {}
