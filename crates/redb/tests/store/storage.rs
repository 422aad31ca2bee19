//! The kit for storages, on [`RedbStorage`].

use sessile_core::TokioClock;
use sessile_redb::RedbStorage;
use sessile_testkit::{Profile, Subject, storage_tests};

use crate::support::TempFolder;

/// The number of visits that may wait for one session. A small number makes the cases fast.
const WAITERS: usize = 8;

/// Returns a storage and a clone of it.
async fn subject() -> Subject {
    let folder = TempFolder::new();
    let storage = RedbStorage::builder(folder.database())
        .clock(TokioClock::start())
        .max_waiters(WAITERS)
        .open()
        .expect("open");
    Subject::new(
        storage.clone(),
        Profile::paused().with_max_waiters(WAITERS).with_usage(),
    )
    .with_second(storage)
    .keeping(folder)
}

storage_tests!(subject);
