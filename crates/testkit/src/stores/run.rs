//! [`StoreCase`]: how a case for record stores is run.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::stores::{StoreContext, StoreSubject};

/// A case for record stores: one promise of the contract, under a name of its own.
pub struct StoreCase {
    name: &'static str,
    parallel: bool,
    body: fn(StoreContext) -> Pin<Box<dyn Future<Output = ()>>>,
}

impl StoreCase {
    /// Every case, in the order of the contract.
    #[must_use]
    pub fn all() -> &'static [Self] {
        CASES
    }

    /// The name: a group and what is promised, such as `replace::of_another_version_does_nothing`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the case wants a runtime of several threads. Any other wants one of a single thread, whose time may be
    /// paused.
    #[must_use]
    pub fn is_parallel(&self) -> bool {
        self.parallel
    }

    /// Runs the case. It is for [`record_store_tests!`](crate::record_store_tests) and for test runners of other kinds.
    ///
    /// # Panics
    ///
    /// If the store does not keep its promise; the message says which and how.
    pub async fn run(&self, subject: StoreSubject) {
        let paused = subject.paused && !self.parallel;
        // Paused time runs ahead whenever everybody waits, so the limit may be long and is reached at once.
        let limit = Duration::from_secs(if paused { 10_000 * 86_400 } else { 180 });
        if paused {
            tokio::time::pause();
        }
        let body = (self.body)(StoreContext::new(subject));
        if tokio::time::timeout(limit, body).await.is_err() {
            panic!("{}: the store did not come to an end within {limit:?}", self.name);
        }
    }
}

impl fmt::Debug for StoreCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StoreCase").field(&self.name).finish()
    }
}

/// Runs the case of this name on what the factory makes.
#[doc(hidden)]
pub async fn run_store(name: &str, factory: impl AsyncFnOnce() -> StoreSubject) {
    let case = CASES.iter().find(|case| case.name == name);
    let case = case.unwrap_or_else(|| panic!("there is no case {name}"));
    case.run(factory().await).await;
}

macro_rules! table {
    (() $($group:ident $kind:ident [$($case:ident)*])*) => {
        static CASES: &[StoreCase] = &[$($(StoreCase {
            name: concat!(stringify!($group), "::", stringify!($case)),
            parallel: table!(@is_parallel $kind),
            body: |context| Box::pin($crate::stores::cases::$group::$case(context)),
        },)*)*];
    };
    (@is_parallel single) => { false };
    (@is_parallel parallel) => { true };
}

crate::__with_store_cases!([table]());
