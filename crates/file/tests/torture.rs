//! Eight processes on two hundred sessions are killed and stopped at random. The results that they got must be
//! consistent.
//!
//! It takes a minute. `SESSILE_TORTURE_SECONDS=600` makes it longer, `SESSILE_SEED` repeats a run.

#[allow(dead_code)] // Each test uses a part of it.
mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{TempFolder, count_files};
use sessile_core::Storage;
use sessile_file::{Durability, FileStorage};
use sessile_testkit::torture::{Torture, worker_main};

/// The environment variable with the folder for the workers.
const FOLDER: &str = "SESSILE_TORTURE_FOLDER";

/// Shorter than the longest stop, so that some holders resume too late.
const LEASE: Duration = Duration::from_secs(1);

fn open(folder: &Path) -> FileStorage {
    // Processes may differ in their durability, so test both together.
    let durability = if std::process::id().is_multiple_of(2) {
        Durability::Sync
    } else {
        Durability::Relaxed
    };
    let builder = FileStorage::builder(folder)
        .durability(durability)
        .lease(LEASE)
        .tombstone_ttl(4 * LEASE);
    builder
        .sweep_every(Some(Duration::from_millis(200)))
        .open()
        .expect("open")
}

fn main() {
    worker_main(async || {
        open(&PathBuf::from(
            std::env::var_os(FOLDER).expect("the folder of the workers"),
        ))
    });

    let folder = TempFolder::new();
    let torture = Torture::new()
        .with_processes(8)
        .with_sessions(200)
        .with_duration(Duration::from_secs(60))
        .with_lease(LEASE)
        .with_stops(LEASE * 5 / 2)
        .with_env(FOLDER, folder.path());
    let opened = folder.path().to_owned();
    match torture.run(async || open(&opened)) {
        Ok(report) => println!("{report}"),
        Err(failure) => panic!("{failure}"),
    }
    leaves_nothing_behind(folder.path());
}

/// Checks that after a sweep only the files of sessions are left.
fn leaves_nothing_behind(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let storage = FileStorage::builder(folder)
            .lease(LEASE)
            .sweep_every(None)
            .open()
            .expect("open");
        tokio::time::sleep(4 * LEASE).await;
        storage.sweep(usize::MAX).await.expect("sweep");
        let mut sessions = 0;
        let mut cursor = None;
        loop {
            let page = storage.scan(cursor, 100).await.expect("scan");
            sessions += page.sessions.len();
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        // Beside the sessions: `FORMAT`, `LEASE`, and the file of this instance.
        assert_eq!(count_files(folder), sessions + 3, "something was left behind");
    });
}
