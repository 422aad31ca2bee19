//! The conformance kit, on each configuration of the cache.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Exponential, Retry, Storage, Timeout, TokioClock};
use sessile_memoized::MemoizedStorage;
use sessile_memory::MemoryStorage;
use sessile_testkit::{ModelStorage, Operation, Profile, Slow, Subject, storage_tests};

use crate::support::Probing;

fn memory() -> MemoryStorage {
    MemoryStorage::builder()
        .clock(TokioClock::start())
        .sweeper(false)
        .max_waiters(8)
        .build()
}

fn profile() -> Profile {
    Profile::paused().with_max_waiters(8).with_usage()
}

/// All writers use one cache.
mod exclusive {
    use super::*;

    async fn subject() -> Subject {
        let memory = memory();
        let observed = memory.clone();
        let storage = MemoizedStorage::builder(memory).capacity(1_000).exclusive();
        Subject::new(storage.clone(), profile())
            .with_second(storage)
            .with_footprint(move || {
                let stats = observed.stats();
                std::future::ready(stats.stored + stats.moved + stats.locks + stats.waiters)
            })
    }

    storage_tests!(subject);
}

/// A capacity of one, so that nearly every insertion evicts.
mod exclusive_and_tiny {
    use super::*;

    async fn subject() -> Subject {
        let storage = MemoizedStorage::builder(memory()).capacity(1).exclusive();
        Subject::new(storage.clone(), profile()).with_second(storage)
    }

    storage_tests!(subject);
}

/// A slow inner storage, so that calls overlap, with time-outs and retries.
mod exclusive_in_front_of_a_stack {
    use super::*;

    async fn subject() -> Subject {
        let slow = Slow::new(memory());
        for operation in [Operation::Read, Operation::Commit, Operation::Touch, Operation::Destroy] {
            slow.delays().before(operation, Duration::from_micros(300));
            slow.delays().after(operation, Duration::from_micros(300));
        }
        let stack: Arc<dyn Storage> = Arc::new(Retry::new(
            Timeout::new(slow, Duration::from_secs(5)),
            Exponential::default(),
        ));
        let storage = MemoizedStorage::shared(stack).exclusive();
        Subject::new(storage.clone(), profile()).with_second(storage)
    }

    storage_tests!(subject);
}

/// The second handle has a cache of its own, as another process would.
mod validated {
    use super::*;

    async fn subject() -> Subject {
        let model = ModelStorage::new().with_max_waiters(8);
        let observed = model.clone();
        let memoized = || MemoizedStorage::builder(Probing::new(model.clone())).validated();
        Subject::new(memoized(), profile())
            .with_second(memoized())
            .with_footprint(move || std::future::ready(observed.footprint()))
    }

    storage_tests!(subject);
}
