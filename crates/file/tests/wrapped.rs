//! The conformance kit on a file storage inside of each wrapper.

#[allow(dead_code)] // Each test uses a part of it.
mod common;

use std::time::Duration;

use sessile_core::{Exponential, Metered, Retry, Storage, Timeout, TokioClock, Traced};
use sessile_file::{Durability, FileStorage};
use sessile_memoized::MemoizedStorage;
use sessile_testkit::{Profile, Subject, storage_tests};

use common::{TempFolder, count_files};

fn open(folder: &TempFolder, clock: TokioClock) -> FileStorage {
    let builder = FileStorage::builder(folder.path()).durability(Durability::Relaxed);
    let builder = builder.clock(clock).max_waiters(16).sweep_every(None);
    builder.open().expect("open")
}

fn subject_in(folder: TempFolder, one: impl Storage, two: impl Storage) -> Subject {
    let counted = folder.path().to_owned();
    let profile = Profile::paused().with_max_waiters(16).without_drain();
    // Each wrapper has the capabilities of the files, or those of them that hold for it, too.
    let profile = match one.capabilities().watch() {
        Some(_) => profile.with_watch(),
        None => profile,
    };
    Subject::new(one, profile)
        .with_second(two)
        .with_footprint(move || std::future::ready(count_files(&counted)))
        .keeping(folder)
}

/// Returns the wrapped storage under test, and a second one on the same folder.
fn subject_of<S: Storage>(wrap: impl Fn(FileStorage) -> S) -> Subject {
    let (folder, clock) = (TempFolder::new(), TokioClock::start());
    let [one, two] = [(); 2].map(|()| wrap(open(&folder, clock)));
    subject_in(folder, one, two)
}

mod timeout {
    use super::*;

    async fn subject() -> Subject {
        subject_of(|files| Timeout::new(files, Duration::from_secs(5)))
    }

    storage_tests!(subject);
}

mod retry {
    use super::*;

    async fn subject() -> Subject {
        subject_of(|files| Retry::new(files, Exponential::default()))
    }

    storage_tests!(subject);
}

mod traced {
    use super::*;

    async fn subject() -> Subject {
        subject_of(Traced::new)
    }

    storage_tests!(subject);
}

mod metered {
    use super::*;

    async fn subject() -> Subject {
        subject_of(Metered::new)
    }

    storage_tests!(subject);
}

/// All users of the folder share one cache.
mod memoized {
    use super::*;

    async fn subject() -> Subject {
        let folder = TempFolder::new();
        let storage = MemoizedStorage::builder(open(&folder, TokioClock::start())).exclusive();
        subject_in(folder, storage.clone(), storage)
    }

    storage_tests!(subject);
}
