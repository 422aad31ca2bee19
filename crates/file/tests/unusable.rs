//! A folder that cannot be used: missing or full.

#[allow(dead_code)] // Each test uses a part of it.
mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{TempFolder, count_files, key, record};
use sessile_core::{Lookup, SessionKey, Storage, StorageError, StorageErrorKind, Timestamp};
use sessile_file::FileStorage;
use sessile_lab::process::{ChildProcess, role, send};

/// Longer than any test in this file.
const LEASE: Duration = Duration::from_secs(300);

/// Opens a storage without a background sweeper.
fn open(folder: &Path) -> FileStorage {
    let storage = FileStorage::builder(folder).lease(LEASE).sweep_every(None);
    storage.open().expect("open")
}

async fn payload(storage: &FileStorage, key: &SessionKey) -> Vec<u8> {
    let stored = storage.read(key).await.expect("read").found().expect("live");
    stored.record.payload.to_vec()
}

/// A folder that is missing, or a volume that is no longer mounted, does not look like a folder without sessions.
#[tokio::test]
async fn a_missing_folder_does_not_look_empty() {
    let parent = TempFolder::new();
    let folder = parent.path().join("sessions");
    let storage = open(&folder);
    storage.create(&key("one"), record("x")).await.expect("create");
    let mut locked = storage
        .lock(&key("one"), Duration::ZERO)
        .await
        .expect("lock")
        .found()
        .expect("live");
    for gone in ["removed", "replaced"] {
        if gone == "removed" {
            fs::rename(&folder, parent.path().join("elsewhere")).expect("a folder");
        } else {
            fs::create_dir(&folder).expect("a folder");
        }
        let unavailable = |error: StorageError| {
            assert_eq!(error.kind(), StorageErrorKind::Unavailable, "{gone}: {error:?}");
            assert!(std::error::Error::source(&error).is_some(), "{gone}: {error:?}");
        };
        unavailable(storage.read(&key("one")).await.expect_err(gone));
        unavailable(storage.lock(&key("one"), Duration::from_secs(5)).await.expect_err(gone));
        unavailable(storage.create(&key("two"), record("x")).await.expect_err(gone));
        unavailable(storage.commit(&mut locked.lock, record("y")).await.expect_err(gone));
        unavailable(
            storage
                .rotate(&mut locked.lock, &key("new"), record("y"), Duration::ZERO)
                .await
                .expect_err(gone),
        );
        unavailable(storage.renew(&locked.lock.id()).await.expect_err(gone));
        unavailable(
            storage
                .touch(&key("one"), 1, None, Timestamp::MAX)
                .await
                .expect_err(gone),
        );
        unavailable(storage.destroy(&key("one")).await.expect_err(gone));
        unavailable(storage.scan(None, 10).await.expect_err(gone));
        unavailable(storage.sweep(10).await.expect_err(gone));
    }
    fs::remove_dir(&folder).expect("the folder is empty");
    fs::rename(parent.path().join("elsewhere"), &folder).expect("a folder");
    assert_eq!(payload(&storage, &key("one")).await, b"x");
    storage
        .commit(&mut locked.lock, record("y"))
        .await
        .expect("the lock is still held");
    assert_eq!(payload(&storage, &key("one")).await, b"y");
}

/// The sessions in a part of the folder that is removed are lost, and the part is made again when it is needed.
#[tokio::test]
async fn a_part_that_is_removed_is_made_again() {
    let folder = TempFolder::new();
    let storage = FileStorage::open(folder.path()).expect("open");
    storage.create(&key("one"), record("x")).await.expect("create");
    for entry in fs::read_dir(folder.path()).expect("a folder").flatten() {
        if entry.file_name().len() == 2 {
            fs::remove_dir_all(entry.path()).expect("a folder");
        }
    }
    assert_eq!(storage.read(&key("one")).await.expect("read"), Lookup::Missing);
    storage.create(&key("one"), record("y")).await.expect("create");
    assert_eq!(payload(&storage, &key("one")).await, b"y");
}

/// Runs this test again, in a process started by this command.
fn run(command: Command, test: &str, folder: &TempFolder) {
    let what = format!("{command:?}");
    let player = ChildProcess::spawn(command, test, "other", folder.path());
    assert_eq!(player.receive(), "done", "{what}");
    player.finish();
}

/// Fills a disk: with a limit on the size of files and, if it can be mounted, a small `tmpfs`.
#[tokio::test]
async fn a_full_disk_is_a_clear_error_and_loses_nothing() {
    let test = "a_full_disk_is_a_clear_error_and_loses_nothing";
    if let Some((_, folder)) = role() {
        let storage = open(&folder);
        let mut created = Vec::new();
        let full = loop {
            let name = format!("number-{}", created.len());
            match storage
                .create(&key(&name), record(vec![b'x'; created.len() * 1_000]))
                .await
            {
                Ok(()) => created.push(key(&name)),
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), StorageErrorKind::Full, "{full:?}");
        assert!(std::error::Error::source(&full).is_some(), "{full:?}");
        assert!(created.len() > 3, "the disk was full before it was used");
        let large = vec![b'y'; 8 << 20];
        if let Ok(Lookup::Found(mut locked)) = storage.lock(&created[1], Duration::ZERO).await {
            let error = storage
                .commit(&mut locked.lock, record(large.clone()))
                .await
                .expect_err("the disk is full");
            assert_eq!(error.kind(), StorageErrorKind::Full, "{error:?}");
            storage.release(locked.lock).await.expect("release");
        }
        for (number, key) in created.iter().enumerate() {
            assert_eq!(
                payload(&storage, key).await,
                vec![b'x'; number * 1_000],
                "number {number}"
            );
        }
        // Destroying sessions makes room.
        for key in &created[3..] {
            assert_eq!(storage.destroy(key).await.expect("destroy"), Lookup::Found(()));
        }
        storage
            .create(&key("after"), record("z"))
            .await
            .expect("there is room again");
        let mut locked = storage
            .lock(&created[1], Duration::ZERO)
            .await
            .expect("lock")
            .found()
            .expect("live");
        let error = storage
            .commit(&mut locked.lock, record(large))
            .await
            .expect_err("too large for this disk");
        assert_eq!(error.kind(), StorageErrorKind::Full, "{error:?}");
        storage
            .commit(&mut locked.lock, record("y"))
            .await
            .expect("the lock is still held");
        assert_eq!(payload(&storage, &created[1]).await, b"y");
        assert_eq!(payload(&storage, &created[2]).await, vec![b'x'; 2_000]);
        drop(storage);
        assert_eq!(count_files(&folder.join("aside")), 0);
        return send("done");
    }
    let fill = |mut command: Command, script: &str, folder: &TempFolder| {
        command
            .args(["-c", script])
            .arg(std::env::current_exe().expect("the test itself"));
        run(command, test, folder);
    };
    // Limit files to some kilobytes.
    fill(
        Command::new("sh"),
        "trap '' XFSZ; ulimit -f 32; exec \"$0\" \"$@\"",
        &TempFolder::new(),
    );

    let folder = TempFolder::new();
    let mount = "mount -t tmpfs -o size=1m,mode=0700 none \"$SESSILE_TEST_FOLDER\"";
    let in_a_mount = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh"]);
        command
    };
    let tried = in_a_mount()
        .args(["-c", mount])
        .env("SESSILE_TEST_FOLDER", folder.path())
        .output();
    if tried.is_ok_and(|tried| tried.status.success()) {
        fill(in_a_mount(), &format!("{mount} && exec \"$0\" \"$@\""), &folder);
    }
}
