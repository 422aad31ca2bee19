//! The conformance kit, in paused time, in real time, and with the locks alone.

#[allow(dead_code)] // Each test uses a part of it.
mod common;

use std::time::Duration;

use sessile_core::{LockedStore, TokioClock};
use sessile_file::{Durability, FileLocks, FileStorage};
use sessile_testkit::{ModelStore, Profile, Subject};

use common::{TempFolder, count_files};

/// Returns two storages that share only the folder, as two processes do.
fn subject(folder: TempFolder, open: impl Fn(&TempFolder) -> FileStorage, profile: Profile) -> Subject {
    let counted = folder.path().to_owned();
    let profile = profile.with_max_waiters(16);
    let profile = if cfg!(target_os = "linux") {
        profile.with_watch()
    } else {
        profile
    };
    Subject::new(open(&folder), profile)
        .with_second(open(&folder))
        .with_footprint(move || std::future::ready(count_files(&counted)))
        .keeping(folder)
}

mod in_paused_time {
    use super::*;

    async fn paused() -> Subject {
        let clock = TokioClock::start();
        let open = move |folder: &TempFolder| {
            let builder = FileStorage::builder(folder.path()).durability(Durability::Relaxed);
            builder
                .clock(clock)
                .max_waiters(16)
                .sweep_every(None)
                .open()
                .expect("open")
        };
        subject(TempFolder::new(), open, Profile::paused().without_drain())
    }

    sessile_testkit::storage_tests!(paused);
}

mod in_real_time {
    use super::*;

    async fn real() -> Subject {
        // Short, because some cases wait for its end, and longer than a busy disk takes to sync.
        let short = Duration::from_secs(4);
        let open = move |folder: &TempFolder| {
            let builder = FileStorage::builder(folder.path()).lease(short).tombstone_ttl(short);
            builder.max_waiters(16).sweep_every(None).open().expect("open")
        };
        subject(
            TempFolder::new(),
            open,
            Profile::real().with_tombstone_ttl(short).without_drain(),
        )
    }

    sessile_testkit::storage_tests!(real);
}

/// The locks alone, with records in another store.
mod around_another_store {
    use super::*;

    async fn paired() -> Subject {
        let (folder, clock, store) = (TempFolder::new(), TokioClock::start(), ModelStore::new());
        let open = || {
            let locks = FileLocks::builder(folder.path())
                .clock(clock)
                .max_waiters(16)
                .open()
                .expect("open");
            LockedStore::new(store.clone(), locks)
        };
        let (one, two) = (open(), open());
        let (counted, records) = (folder.path().to_owned(), store.clone());
        let count = move || {
            let (counted, records) = (counted.clone(), records.clone());
            async move {
                // Locks that were dropped just now are still being released.
                tokio::time::sleep(Duration::from_millis(1)).await;
                count_files(&counted) + records.len()
            }
        };
        Subject::new(one, Profile::paused().with_max_waiters(16).with_usage())
            .with_second(two)
            .with_footprint(count)
            .keeping(folder)
    }

    sessile_testkit::storage_tests!(paired);
}
