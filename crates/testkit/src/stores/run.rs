//! [`StoreCase`]: a case for record stores, and how it runs.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::stores::{StoreContext, StoreSubject};

/// A case for record stores: a promise of the contract and its name.
pub struct StoreCase {
    name: &'static str,
    parallel: bool,
    body: fn(StoreContext) -> Pin<Box<dyn Future<Output = ()>>>,
}

impl StoreCase {
    /// Returns every case, in the order of the contract.
    #[must_use]
    pub fn all() -> &'static [Self] {
        CASES
    }

    /// Returns the name: a group and the promise, such as `replace::of_another_version_does_nothing`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns whether the case needs a multi-threaded runtime. Any other needs a single-threaded one, whose time may
    /// be paused.
    #[must_use]
    pub fn is_parallel(&self) -> bool {
        self.parallel
    }

    /// Runs the case. [`record_store_tests!`](crate::record_store_tests) uses this, as can other test runners.
    ///
    /// # Panics
    ///
    /// Panics if the store breaks its promise. The message says which and how.
    pub async fn run(&self, subject: StoreSubject) {
        let paused = subject.paused && !self.parallel;
        // Paused time advances when all tasks wait, so a long limit is reached immediately.
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

/// Runs the case of this name on the subject of the factory.
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
