//! The kit for storages, on pairs of a store and locks.
//!
//! Tokio's time stands still during a blocking call and advances when every task is idle, so no case waits. Cases with
//! several threads run in real time.

use sessile_core::{LocalLocks, LockedStore, RecordStore, TokioClock};
use sessile_redb::RedbStore;
use sessile_testkit::{Profile, Subject, storage_tests};

use crate::support::TempFolder;

/// The number of visits that may wait for one session. A small number makes the cases fast.
const WAITERS: usize = 8;

/// Returns two storages on one database. redb cannot open it twice, so they share the store and the locks, and nothing
/// else.
async fn subject() -> Subject {
    let folder = TempFolder::new();
    let store = RedbStore::open(folder.database()).expect("open");
    let locks = LocalLocks::builder().clock(TokioClock::start()).max_waiters(WAITERS);
    let locks = locks.build();
    let pair = || LockedStore::new(store.clone(), locks.clone());
    let (one, two) = (pair(), pair());

    // Everything that takes room: entries, locks, and the bookkeeping of locks.
    let (held, store, locks) = ([one.clone(), two.clone()], store.clone(), locks.clone());
    let footprint = move || {
        let held: usize = held.iter().map(LockedStore::locks_held).sum();
        let (store, locks) = (store.clone(), locks.clone());
        async move {
            let list = store.scan(None, usize::MAX).await.expect("scan");
            list.entries.len() + locks.in_use() + held
        }
    };
    Subject::new(one, Profile::paused().with_max_waiters(WAITERS).with_usage())
        .with_second(two)
        .with_footprint(footprint)
        .keeping(folder)
}

storage_tests!(subject);
