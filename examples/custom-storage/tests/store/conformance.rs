//! The kit: what every storage has to promise.
//!
//! Tokio's time stands still while a blocking call is under way, and runs ahead when nothing is: no case waits. Those
//! cases that want several threads run in real time.

use custom_storage::RedbStore;
use sessile_core::{LocalLocks, Paired, RecordStore, TokioClock};
use sessile_testkit::{Profile, Subject, storage_tests};

use crate::support::TempFolder;

/// How many may wait for one session. A small number makes the cases fast.
const WAITERS: usize = 8;

/// Two storages on one database, as two parts of a server would have it. redb cannot be opened twice, so they share the
/// store and the locks, and nothing else.
async fn subject() -> Subject {
    let folder = TempFolder::new();
    let store = RedbStore::open(folder.database()).expect("open");
    let locks = LocalLocks::builder().clock(TokioClock::start()).max_waiters(WAITERS);
    let locks = locks.build();
    let pair = || Paired::new(store.clone(), locks.clone());
    let (one, two) = (pair(), pair());

    // Everything there is, be it of use or not: entries, locks, and what is remembered of locks.
    let (held, store, locks) = ([one.clone(), two.clone()], store.clone(), locks.clone());
    let footprint = move || {
        let held: usize = held.iter().map(Paired::locks_held).sum();
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
