//! `MemoryStorage`, which was written without this kit, keeps the contract in paused, manual and real time.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{ManualClock, Timestamp, TokioClock};
use sessile_memory::{MemoryStorage, MemoryStorageBuilder};
use sessile_testkit::{Profile, Subject, storage_tests};

/// The storage's own sweeper is off, because it and the cases would sweep each other's records.
fn subject_of(builder: MemoryStorageBuilder, profile: Profile) -> Subject {
    let storage = builder.max_waiters(8).sweeper(false).build();
    let observed = storage.clone();
    Subject::new(storage.clone(), profile.with_max_waiters(8).with_usage().with_watch())
        .with_second(storage)
        .with_footprint(move || {
            let stats = observed.stats();
            std::future::ready(stats.stored + stats.moved + stats.locks + stats.waiters)
        })
}

mod paused {
    use super::*;

    async fn subject() -> Subject {
        subject_of(MemoryStorage::builder().clock(TokioClock::start()), Profile::paused())
    }

    storage_tests!(subject);
}

/// With room for the records of the cases, and no more.
mod limited {
    use super::*;

    async fn subject() -> Subject {
        let builder = MemoryStorage::builder().clock(TokioClock::start());
        subject_of(builder.max_bytes(24 * 1_024 * 1_024), Profile::paused().with_limit())
    }

    storage_tests!(subject);
}

mod manual {
    use super::*;

    async fn subject() -> Subject {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
        let builder = MemoryStorage::builder().clock(Arc::clone(&clock));
        subject_of(builder, Profile::manual(move |time| clock.advance(time)))
    }

    storage_tests!(subject);
}

mod real {
    use super::*;

    async fn subject() -> Subject {
        let short = Duration::from_secs(1);
        let builder = MemoryStorage::builder().lease(short).tombstone_ttl(short);
        subject_of(builder, Profile::real().with_tombstone_ttl(short))
    }

    storage_tests!(subject);
}
