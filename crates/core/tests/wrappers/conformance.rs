//! The conformance kit, for every wrapper.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Exponential, IntoStorage, Retry, Storage, Timeout, TokioClock};
use sessile_memory::MemoryStorage;
use sessile_testkit::{Operation, Profile, Slow, Subject, storage_tests};

fn memory() -> MemoryStorage {
    MemoryStorage::builder()
        .clock(TokioClock::start())
        .sweeper(false)
        .max_waiters(8)
        .build()
}

/// Creates the wrapped storage under test. The second handle uses another wrapper around the same memory.
fn subject_of<S: IntoStorage>(wrap: impl Fn(MemoryStorage) -> S) -> Subject {
    let memory = memory();
    let observed = memory.clone();
    let footprint = move || {
        let stats = observed.stats();
        std::future::ready(stats.stored + stats.moved + stats.locks + stats.waiters)
    };
    Subject::new(
        wrap(memory.clone()),
        Profile::paused().with_max_waiters(8).with_usage().with_watch(),
    )
    .with_second(wrap(memory))
    .with_footprint(footprint)
}

mod timeout {
    use super::*;

    async fn subject() -> Subject {
        subject_of(|memory| Timeout::new(memory, Duration::from_secs(5)))
    }

    storage_tests!(subject);
}

mod retry {
    use super::*;

    async fn subject() -> Subject {
        subject_of(|memory| Retry::new(memory, Exponential::default()))
    }

    storage_tests!(subject);
}

/// The recommended order of wrappers, around a slow storage, with its type erased in between.
mod stacked {
    use super::*;

    async fn subject() -> Subject {
        subject_of(|memory| {
            let slow = Slow::new(memory);
            for operation in [Operation::Commit, Operation::Rotate, Operation::Create] {
                slow.delays().before(operation, Duration::from_millis(1));
            }
            let slow: Arc<dyn Storage> = Arc::new(slow);
            Retry::new(Timeout::shared(slow, Duration::from_secs(5)), Exponential::default())
        })
    }

    storage_tests!(subject);
}

#[cfg(feature = "tracing")]
mod traced {
    use super::*;

    async fn subject() -> Subject {
        subject_of(sessile_core::Traced::new)
    }

    storage_tests!(subject);
}

#[cfg(feature = "metrics")]
mod metered {
    use super::*;

    async fn subject() -> Subject {
        subject_of(sessile_core::Metered::new)
    }

    storage_tests!(subject);
}
