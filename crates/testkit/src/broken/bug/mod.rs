//! [`Bug`]: the list of what can be wrong.

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
        /// What is wrong with a [`Broken`](crate::Broken) storage.
        ///
        /// Those that are about what a verb does to the data are [`Rules`](crate::Rules) as well, and can be given to a
        /// [`ModelStorage`](crate::ModelStorage). Those that are about time and waiting take a [`Broken`](crate::Broken).
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
    /// Whether the storage with this bug holds four mebibytes of payloads and no more.
    #[must_use]
    pub fn has_limit(self) -> bool {
        use Bug::{
            FullDisarmsTheLock, FullForGood, FullMovesAnyway, FullNotAtOnce, FullRemovesAnother, FullReplacesAnyway,
        };
        matches!(
            self,
            FullForGood
                | FullMovesAnyway
                | FullNotAtOnce
                | FullRemovesAnother
                | FullReplacesAnyway
                | FullDisarmsTheLock
        )
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
