//! [`Case`]: a case, and how it runs.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::kit::{Context, Subject, Time};

/// A case of the kit: a promise of the contract and its name.
pub struct Case {
    name: &'static str,
    parallel: bool,
    body: fn(Context) -> Pin<Box<dyn Future<Output = ()>>>,
}

impl Case {
    /// Returns every case, in the order of the contract.
    #[must_use]
    pub fn all() -> &'static [Self] {
        CASES
    }

    /// Returns the name: a group and the promise, such as `create::refuses_a_live_key`.
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

    /// Runs the case. [`storage_tests!`](crate::storage_tests) uses this, as can other test runners.
    ///
    /// # Panics
    ///
    /// Panics if the storage breaks its promise. The message says which and how.
    pub async fn run(&self, subject: Subject) {
        let profile = &subject.profile;
        assert!(
            profile.max_waiters >= 4,
            "with fewer than four waiters there is no order to see"
        );
        let paused = matches!(profile.time, Time::Paused) && !self.parallel;
        // Paused time advances when all tasks wait, so a long limit is reached immediately.
        let limit = Duration::from_secs(if paused { 10_000 * 86_400 } else { 180 });
        if paused {
            tokio::time::pause();
        }
        let body = (self.body)(Context::new(subject));
        if tokio::time::timeout(limit, body).await.is_err() {
            panic!("{}: the storage did not come to an end within {limit:?}", self.name);
        }
        if paused {
            tokio::time::resume();
        }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

/// Runs the case of this name on the subject of the factory.
#[doc(hidden)]
pub async fn run(name: &str, factory: impl AsyncFn() -> Subject) {
    let case = CASES.iter().find(|case| case.name == name);
    let case = case.unwrap_or_else(|| panic!("there is no case {name}"));
    case.run(factory().await).await;
    if let Some(subject) = factory().await.immediate() {
        eprintln!("{name}: by the plain functions");
        case.run(subject).await;
    }
}

macro_rules! table {
    (() $($group:ident $kind:ident [$($case:ident)*])*) => {
        static CASES: &[Case] = &[$($(Case {
            name: concat!(stringify!($group), "::", stringify!($case)),
            parallel: table!(@is_parallel $kind),
            body: |context| Box::pin($crate::cases::$group::$case(context)),
        },)*)*];
    };
    (@is_parallel single) => { false };
    (@is_parallel parallel) => { true };
}

crate::__with_cases!([table]());
