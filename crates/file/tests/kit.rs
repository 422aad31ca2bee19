//! The conformance kit, in each way in which the storage can be used.

#[allow(dead_code)] // Each of the tests uses a part of it.
mod common;

use std::time::Duration;

use sessile_core::TokioClock;
use sessile_file::{Durability, FileStorage};
use sessile_testkit::{Profile, Subject};

use common::{TempFolder, count_files};

/// Two handles that share nothing but the folder, as two processes would.
fn subject(folder: TempFolder, open: impl Fn(&TempFolder) -> FileStorage, profile: Profile) -> Subject {
    let counted = folder.path().to_owned();
    Subject::new(open(&folder), profile.with_max_waiters(16))
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
        subject(TempFolder::new(), open, Profile::paused())
    }

    sessile_testkit::storage_tests!(paused);
}

mod in_real_time {
    use super::*;

    async fn real() -> Subject {
        let short = Duration::from_secs(2);
        let open = move |folder: &TempFolder| {
            let builder = FileStorage::builder(folder.path()).lease(short).tombstone(short);
            builder.max_waiters(16).sweep_every(None).open().expect("open")
        };
        subject(TempFolder::new(), open, Profile::real().with_tombstone(short))
    }

    sessile_testkit::storage_tests!(real);
}
