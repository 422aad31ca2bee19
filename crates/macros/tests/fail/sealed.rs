//! Other types cannot be keys.

use sessile_core::{Expiration, NamespaceName, Untyped, ValueKey};

struct Mine;

impl ValueKey<Untyped> for Mine {
    type Value = u64;

    fn name(&self) -> &str {
        "mine"
    }

    fn default_expiration(&self) -> Option<Expiration> {
        None
    }
}

impl NamespaceName<Untyped> for Mine {
    type Values = Untyped;

    fn name(&self) -> &str {
        "mine"
    }

    fn default_expiration(&self) -> Option<Expiration> {
        None
    }
}

fn main() {}
