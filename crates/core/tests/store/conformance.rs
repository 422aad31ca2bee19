//! The conformance kit, for every combination of store and locks.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{LocalLocks, LockedStore, ManualClock, Timestamp, TokioClock};
use sessile_testkit::{Profile, Subject, storage_tests};

use crate::support::{MapStore, Setup};

fn subject_of(setup: Setup, profile: Profile) -> Subject {
    let observed = setup.clone();
    Subject::new(setup.storage.clone(), profile.with_max_waiters(8))
        .with_second(setup.storage)
        .with_footprint(move || std::future::ready(observed.footprint()))
}

mod paused {
    use super::*;

    async fn subject() -> Subject {
        subject_of(Setup::new(), Profile::paused())
    }

    storage_tests!(subject);
}

/// Calls can be dropped at every call to the store, before and after it takes effect.
mod waiting_for_the_store {
    use super::*;

    async fn subject() -> Subject {
        subject_of(
            Setup::with(MapStore::yielding(), TokioClock::start()),
            Profile::paused(),
        )
    }

    storage_tests!(subject);
}

mod manual {
    use super::*;

    async fn subject() -> Subject {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
        let setup = Setup::with(MapStore::default(), Arc::clone(&clock));
        subject_of(setup, Profile::manual(move |time| clock.advance(time)))
    }

    storage_tests!(subject);
}

/// Two storages that share only the store and the locks, as two processes would with locks on a server.
mod apart {
    use super::*;

    async fn subject() -> Subject {
        let setup = Setup::new();
        let second = LockedStore::new(setup.store.clone(), setup.locks.clone());
        Subject::new(setup.storage, Profile::paused().with_max_waiters(8)).with_second(second)
    }

    storage_tests!(subject);
}

/// A storage with erased types, a short lease and short tombstones.
mod shared_and_configured {
    use super::*;

    async fn subject() -> Subject {
        let short = Duration::from_secs(2);
        let store: Arc<dyn sessile_core::RecordStore> = Arc::new(MapStore::default());
        let locks = LocalLocks::builder()
            .clock(TokioClock::start())
            .lease(short)
            .max_waiters(8)
            .build();
        let locks: Arc<dyn sessile_core::Locks> = Arc::new(locks);
        let storage = LockedStore::builder(store, locks).tombstone_ttl(short).build();
        Subject::new(storage, Profile::paused().with_tombstone_ttl(short).with_max_waiters(8))
    }

    storage_tests!(subject);
}
