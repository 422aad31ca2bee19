//! [`Bug`]: the bugs of broken storages.

mod lifetime;
mod locking;
mod writing;

use std::fmt;

use self::lifetime::lifetime_bugs;
use self::locking::locking_bugs;
use self::writing::writing_bugs;

/// Declares [`Bug`] with a list of bugs.
macro_rules! bugs {
    (; $($(#[doc = $doc:literal])+ $bug:ident,)+) => {
        /// A bug of a [`Broken`](crate::Broken) storage.
        ///
        /// Bugs in the effect of an operation on the data are [`Rules`](sessile_testkit::model::Rules) too, and work in
        /// a [`ModelStorage`](sessile_testkit::ModelStorage). Bugs of time and waiting need a
        /// [`Broken`](crate::Broken).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Bug {
            $($(#[doc = $doc])+ $bug,)+
        }

        impl Bug {
            /// Every bug.
            pub const ALL: &[Self] = &[$(Self::$bug,)+];
        }
    };
}

writing_bugs! { locking_bugs lifetime_bugs bugs; }

impl Bug {
    /// Returns whether the storage with this bug holds at most four mebibytes of payloads.
    #[must_use]
    pub fn has_limit(self) -> bool {
        use Bug::{
            FullDisarmsTheLock, FullForGood, FullMovesAnyway, FullNotImmediate, FullRemovesAnother, FullReplacesAnyway,
        };
        matches!(
            self,
            FullForGood
                | FullMovesAnyway
                | FullNotImmediate
                | FullRemovesAnother
                | FullReplacesAnyway
                | FullDisarmsTheLock
        )
    }
}

impl Bug {
    /// Returns whether sessions of the storage with this bug can be watched, or should.
    #[must_use]
    pub fn has_watch(self) -> bool {
        format!("{self:?}").starts_with("Watch")
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
