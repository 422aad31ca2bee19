//! The kit: what every storage has to promise.

use std::time::Duration;

use custom_storage::RedbStore;
use sessile_core::{LocalLocks, LocalLocksBuilder, Paired, RecordStore, TokioClock};
use sessile_testkit::{Profile, Subject, storage_tests};

use crate::support::TempFolder;

/// How many may wait for one session. A small number makes the cases fast.
const WAITERS: usize = 8;

/// Two storages on one database, as two parts of a server would have it. redb cannot be opened twice, so they share the
/// store and the locks, and nothing else.
fn subject(locks: LocalLocksBuilder, tombstone: Duration, profile: Profile) -> Subject {
    let folder = TempFolder::new();
    let store = RedbStore::open(folder.database()).expect("open");
    let locks = locks.max_waiters(WAITERS).build();
    let pair = || {
        let builder = Paired::builder(store.clone(), locks.clone());
        builder.tombstone_ttl(tombstone).build()
    };
    let (one, two) = (pair(), pair());
    let profile = profile.with_max_waiters(WAITERS).with_tombstone(tombstone);
    let (held, store, locks) = ([one.clone(), two.clone()], store.clone(), locks.clone());
    let footprint = move || {
        let held: usize = held.iter().map(Paired::locks_held).sum();
        let (store, locks) = (store.clone(), locks.clone());
        async move {
            let list = store.scan(None, usize::MAX).await.expect("scan");
            list.entries.len() + locks.in_use() + held
        }
    };
    Subject::new(one, profile)
        .with_second(two)
        .with_footprint(footprint)
        .keeping(folder)
}

/// Tokio's time stands still while a blocking call is under way, and runs ahead when nothing is: no case waits.
mod in_paused_time {
    use super::*;

    async fn paused() -> Subject {
        let locks = LocalLocks::builder().clock(TokioClock::start());
        subject(locks, Duration::from_secs(60), Profile::paused())
    }

    storage_tests!(paused);
}

/// As a server runs it, except that leases and tombstones are short, as the cases wait for them.
mod in_real_time {
    use super::*;

    async fn real() -> Subject {
        let short = Duration::from_secs(2);
        subject(LocalLocks::builder().lease(short), short, Profile::real())
    }

    storage_tests!(real);
}
