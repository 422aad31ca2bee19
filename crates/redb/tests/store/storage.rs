//! The kit for storages, on [`RedbStorage`].

use sessile_core::{LocalLocks, LockedStore, TokioClock};
use sessile_redb::{RedbStorage, RedbStore};
use sessile_testkit::{Profile, Subject, storage_tests};

use crate::support::TempFolder;

/// The number of visits that may wait for one session. A small number makes the cases fast.
const WAITERS: usize = 8;

/// Returns a storage and a clone of it.
async fn subject() -> Subject {
    let folder = TempFolder::new();
    let locks = LocalLocks::builder().clock(TokioClock::start()).max_waiters(WAITERS);
    let store = RedbStore::open(folder.database()).expect("open");
    let storage: RedbStorage = LockedStore::new(store, locks.build());
    Subject::new(
        storage.clone(),
        Profile::paused().with_max_waiters(WAITERS).with_usage(),
    )
    .with_second(storage)
    .keeping(folder)
}

storage_tests!(subject);
