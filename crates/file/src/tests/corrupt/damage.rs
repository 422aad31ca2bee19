//! What may be damaged, and how.

use std::path::PathBuf;
use std::time::Duration;

use sessile_core::{Lookup, Meta, OsEntropy, Record, SessionId, Storage, StorageErrorKind};

use super::{Bench, PAYLOAD};
use crate::SetAsideReason;
use crate::folder::format::{HEAD, Head, Kind, encode};
use crate::tests::common::{TempFolder, count_files};
use crate::tests::scenario::START;

#[tokio::test]
async fn every_byte_counts() {
    let bench = Bench::new().await;
    for offset in 0..HEAD + PAYLOAD.len() {
        for flip in [0x01, 0x80] {
            let (key, path) = bench.session().await;
            let mut bytes = std::fs::read(&path).expect("the file of the session");
            bytes[offset] ^= flip;
            std::fs::write(&path, &bytes).expect("the file of the session");
            let reason = if offset < 8 {
                SetAsideReason::Foreign
            } else {
                SetAsideReason::Torn
            };
            bench
                .is_set_aside(&key, reason, Some(&bytes), &format!("byte {offset} ^ {flip}"))
                .await;
        }
    }
}

#[tokio::test]
async fn every_length_counts() {
    let bench = Bench::new().await;
    for length in (0..HEAD + PAYLOAD.len()).chain([HEAD + PAYLOAD.len() + 1, 1 << 20]) {
        let (key, path) = bench.session().await;
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("the file of the session");
        file.set_len(length as u64).expect("the file of the session");
        bench
            .is_set_aside(&key, SetAsideReason::Torn, None, &format!("cut to {length}"))
            .await;
    }
}

#[tokio::test]
async fn what_is_no_file_of_ours_is_set_aside() {
    let bench = Bench::new().await;
    let (other, other_path) = bench.session().await;
    type Plant<'a> = &'a dyn Fn(&PathBuf);
    let plants: [(&str, SetAsideReason, Plant<'_>); 8] = [
        ("text", SetAsideReason::Foreign, &|path| {
            std::fs::write(path, "a note to myself").expect("a file")
        }),
        ("zeroes", SetAsideReason::Torn, &|path| {
            std::fs::write(path, [0; 4_096]).expect("a file")
        }),
        ("another session", SetAsideReason::Foreign, &|path| {
            assert_ne!(std::fs::copy(&other_path, path).expect("a copy"), 0)
        }),
        ("a folder", SetAsideReason::Unreadable, &|path| {
            std::fs::create_dir(path).expect("a folder")
        }),
        ("a folder with files", SetAsideReason::Unreadable, &|path| {
            std::fs::create_dir(path).expect("a folder");
            std::fs::write(path.join("file"), "x").expect("a file");
        }),
        ("a link", SetAsideReason::Unreadable, &|path| {
            std::os::unix::fs::symlink(&other_path, path).expect("a link")
        }),
        ("a dead link", SetAsideReason::Unreadable, &|path| {
            std::os::unix::fs::symlink("/nowhere/at/all", path).expect("a link");
        }),
        ("a socket", SetAsideReason::Unreadable, &|path| {
            // Sockets want short paths, so it is made elsewhere and moved.
            let short = TempFolder::new();
            drop(std::os::unix::net::UnixListener::bind(short.path().join("s")).expect("a socket"));
            std::fs::rename(short.path().join("s"), path).expect("a socket");
        }),
    ];
    for (what, reason, plant) in plants {
        let (key, path) = bench.session().await;
        std::fs::remove_file(&path).expect("the file of the session");
        plant(&path);
        bench.is_set_aside(&key, reason, None, what).await;
    }
    assert!(bench.storage.read(&other).await.expect("read").is_found());
}

/// Opening a pipe waits for its other end, unless one knows better.
#[tokio::test]
async fn a_pipe_is_set_aside_and_not_waited_for() {
    let bench = Bench::new().await;
    let (key, path) = bench.session().await;
    std::fs::remove_file(&path).expect("the file of the session");
    let made = std::process::Command::new("mkfifo")
        .arg(&path)
        .status()
        .expect("mkfifo is needed for this test");
    assert!(made.success(), "mkfifo is needed for this test");
    let waits = tokio::time::timeout(
        Duration::from_secs(60),
        bench.is_set_aside(&key, SetAsideReason::Unreadable, None, "a pipe"),
    );
    waits.await.expect("a pipe is waited for");
}

#[tokio::test]
async fn a_later_format_is_left_alone() {
    let bench = Bench::new().await;
    let (key, path) = bench.session().await;
    // A file as a later version might write it: the same beginning, and a checksum that is right.
    let kind = Kind::Record {
        meta: Meta::new(START),
        from: None,
    };
    let mut bytes = encode(
        &Head {
            key,
            stamp: [1; 16],
            kind,
        },
        PAYLOAD,
    );
    bytes[8] = 2;
    let sum = <sha2::Sha256 as sha2::Digest>::digest(&bytes[..HEAD - 16]);
    bytes[HEAD - 16..HEAD].copy_from_slice(&sum[..16]);
    std::fs::write(&path, &bytes).expect("the file of the session");
    for _ in 0..2 {
        let error = bench
            .storage
            .read(&key)
            .await
            .expect_err("a later format was understood");
        assert_eq!(error.kind(), StorageErrorKind::Unsupported, "{error:?}");
    }
    bench.storage.sweep(100).await.expect("sweep");
    assert_eq!(std::fs::read(&path).expect("the file stays"), bytes);
    assert_eq!(bench.reports.lock().expect("reports").len(), 0);
}

#[tokio::test]
async fn after_the_quarantine_the_session_is_missing() {
    let bench = Bench::new().await;
    let (key, path) = bench.session().await;
    std::fs::write(&path, "damaged").expect("the file of the session");
    let error = bench.storage.read(&key).await.expect_err("damaged");
    assert_eq!(error.kind(), StorageErrorKind::Corrupt);
    bench
        .clock
        .advance(Duration::from_secs(3_600) - Duration::from_millis(1));
    let error = bench.storage.read(&key).await.expect_err("damaged");
    assert_eq!(error.kind(), StorageErrorKind::Corrupt);
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(bench.storage.read(&key).await.expect("read"), Lookup::Missing);
    bench.storage.sweep(100).await.expect("sweep");
    assert!(!path.exists(), "the mark is swept");
    assert_eq!(count_files(&bench.layout.aside()), 1, "what was set aside stays");
}

/// A damaged lease is no lease. The holder is refused, nobody waits for it, nothing is lost.
#[tokio::test]
async fn a_damaged_lease_frees_the_session() {
    let bench = Bench::new().await;
    let (key, _) = bench.session().await;
    for damage in ["", "not a lease"] {
        let mut locked = bench
            .storage
            .lock(&key, Duration::ZERO)
            .await
            .expect("lock")
            .found()
            .expect("live");
        std::fs::write(bench.layout.lease(&key), damage).expect("the lease");
        let record = Record::new(locked.record.meta.clone(), "late");
        let error = bench
            .storage
            .commit(&mut locked.lock, record)
            .await
            .expect_err("the lease is not there");
        assert_eq!(error.kind(), StorageErrorKind::LockLost);
        let next = bench
            .storage
            .lock(&key, Duration::ZERO)
            .await
            .expect("lock")
            .found()
            .expect("live");
        assert_eq!(next.record.payload, PAYLOAD);
        bench.storage.release(next.lock).await.expect("release");
    }
}

/// Damaged sessions are found by sweeping as well, and do not keep the others from being swept.
#[tokio::test]
async fn a_sweep_sets_aside_what_it_comes_across() {
    let bench = Bench::new().await;
    let (damaged, path) = bench.session().await;
    std::fs::write(&path, "not a session at all").expect("the file of the session");
    let leaf = bench.layout.leaf_of(&damaged);
    std::fs::write(leaf.join("notes.txt"), "a note to myself").expect("a file");
    std::fs::write(
        bench.layout.leases(0x8a).parent().expect("a stripe").join("README"),
        "x",
    )
    .ok();
    let expired = SessionId::generate(&OsEntropy).key();
    let record = Record::new(Meta::new(START).with_deadline(Some(START)), "expired");
    bench.storage.create(&expired, record).await.expect("create");

    // A file is only looked into when its date says that it may be over. A damaged one may say anything.
    let old = std::time::SystemTime::UNIX_EPOCH;
    std::fs::File::open(&path)
        .and_then(|file| file.set_modified(old))
        .expect("the file of the session");
    let swept = bench.storage.sweep(100).await.expect("sweep");
    assert_eq!(swept.iter().map(|stored| stored.key).collect::<Vec<_>>(), [expired]);
    let mut reasons: Vec<_> = bench
        .reports
        .lock()
        .expect("reports")
        .iter()
        .map(|file| (file.key, file.reason))
        .collect();
    reasons.sort_by_key(|(key, _)| *key);
    assert_eq!(
        reasons,
        [
            (None, SetAsideReason::Foreign),
            (Some(damaged), SetAsideReason::Foreign)
        ]
    );
    let error = bench.storage.read(&damaged).await.expect_err("damaged");
    assert_eq!(error.kind(), StorageErrorKind::Corrupt);
    // A scan lists the others.
    let page = bench.storage.scan(None, 100).await.expect("scan");
    assert_eq!(
        page.sessions.iter().map(|(key, _)| *key).collect::<Vec<_>>(),
        [bench.bystander]
    );
}
