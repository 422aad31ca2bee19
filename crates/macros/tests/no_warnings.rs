//! A declaration causes no warning, whichever lints are on.
//!
//! This test has its own `main`, because `missing_docs` does not apply to a crate that is built with a test harness.

#![deny(
    warnings,
    missing_docs,
    private_interfaces,
    unnameable_types,
    unreachable_pub,
    unused_qualifications,
    rust_2018_idioms,
    clippy::all,
    clippy::pedantic,
    clippy::nursery
)]
// This lint demands what `unreachable_pub` forbids.
#![allow(clippy::redundant_pub_crate)]

extern crate sessile_core as sessile;

use std::collections::{BTreeMap, HashMap};

use sessile::{Expiration, MINUTE, Namespaces, Untyped, Values};

/// Used in this file only.
#[derive(Values)]
struct Private {
    user_id: u64,
    #[session(expiration = Expiration::Never)]
    same_type: bool,
    #[session(expiration = Expiration::sliding(MINUTE), rename = "other")]
    other_type: HashMap<String, BTreeMap<String, Vec<(u64, String)>>>,
}

#[derive(Values)]
struct Empty {}

#[derive(Namespaces)]
struct Nowhere {
    private: Private,
    empty: Empty,
    plain: Untyped,
}

/// A public type of the test.
#[derive(Debug)]
pub struct Detail;

/// A module as in a library.
pub mod public {
    use super::Values;

    #[derive(Debug)]
    pub(super) struct Hidden;

    /// A declaration with private fields, a private type, and fields without documentation.
    #[derive(Values, Debug)]
    pub struct Account {
        user_id: u64,
        /// This one is documented.
        pub name: String,
        pub(crate) hidden: Hidden,
        detail: super::Detail,
        /// The former name.
        #[deprecated]
        nickname: String,
    }

    pub(super) const fn hidden() -> Hidden {
        Hidden
    }
}

mod inner {
    use super::{Untyped, Values, public};

    #[derive(Values)]
    pub(crate) struct Shared {
        r#type: u64,
        _padding: u64,
    }

    #[derive(super::Namespaces)]
    pub(super) struct Shop {
        account: public::Account,
        pub(crate) shared: Shared,
        pub(super) rest: Untyped,
    }
}

fn main() {
    #[derive(Values)]
    struct Local {
        n: u64,
    }

    // Only these keys are used. The rest of each declaration is not.
    assert_eq!(Local::N.name(), "n");
    assert_eq!(public::Account::NAME.name(), "name");
    assert_eq!(inner::Shop::SHARED.name(), "shared");
    assert_eq!(format!("{:?}{:?}", public::hidden(), Detail), "HiddenDetail");
}
