//! The kinds of corruption.

use std::path::PathBuf;
use std::time::Duration;

use sessile_core::{Lookup, Meta, OsEntropy, Record, SessionId, Storage, StorageErrorKind};

use super::{FACTS, Fixture, PAYLOAD};
use crate::QuarantineReason;
use crate::folder::format::{HEADER_LEN, Header, Kind, encode};
use crate::tests::common::{TempFolder, count_files};
use crate::tests::scenario::START;

#[tokio::test]
async fn every_byte_counts() {
    let fixture = Fixture::new().await;
    let every = |facts: &'static [u8]| (0..HEADER_LEN + facts.len() + PAYLOAD.len()).map(move |offset| (facts, offset));
    for (facts, offset) in every(&[]).chain(every(FACTS)) {
        for flip in [0x01, 0x80] {
            let (key, path) = fixture.session_with(facts).await;
            let mut bytes = std::fs::read(&path).expect("the file of the session");
            bytes[offset] ^= flip;
            std::fs::write(&path, &bytes).expect("the file of the session");
            let reason = if offset < 8 {
                QuarantineReason::Foreign
            } else {
                QuarantineReason::Torn
            };
            fixture
                .expect_quarantine(
                    &key,
                    reason,
                    Some(&bytes),
                    &format!("{facts:?}, byte {offset} ^ {flip}"),
                )
                .await;
        }
    }
}

#[tokio::test]
async fn every_length_counts() {
    let fixture = Fixture::new().await;
    let every = |facts: &'static [u8]| {
        let length = HEADER_LEN + facts.len() + PAYLOAD.len();
        (0..length)
            .chain([length + 1, 1 << 20])
            .map(move |length| (facts, length))
    };
    for (facts, length) in every(&[]).chain(every(FACTS)) {
        let (key, path) = fixture.session_with(facts).await;
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("the file of the session");
        file.set_len(length as u64).expect("the file of the session");
        fixture
            .expect_quarantine(
                &key,
                QuarantineReason::Torn,
                None,
                &format!("{facts:?}, cut to {length}"),
            )
            .await;
    }
}

/// A listing reads no payloads, and checks the facts that it reads all the same.
#[tokio::test]
async fn corrupt_facts_are_not_listed() {
    let fixture = Fixture::new().await;
    let (intact, _) = fixture.session_with(FACTS).await;
    for (offset, listed) in [(HEADER_LEN, false), (HEADER_LEN + FACTS.len(), true)] {
        let (key, path) = fixture.session_with(FACTS).await;
        let mut bytes = std::fs::read(&path).expect("the file of the session");
        bytes[offset] ^= 1;
        std::fs::write(&path, &bytes).expect("the file of the session");
        let page = fixture.storage.scan(None, 100).await.expect("scan");
        let heads = page.sessions.iter().filter(|head| head.key == key).count();
        assert_eq!(heads == 1, listed, "with byte {offset} changed");
        let head = page
            .sessions
            .iter()
            .find(|head| head.key == intact)
            .expect("it is intact");
        assert_eq!(head.meta.facts.as_bytes(), FACTS);
        assert_eq!(head.payload_len, Some(PAYLOAD.len()));
    }
}

#[tokio::test]
async fn foreign_files_are_quarantined() {
    let fixture = Fixture::new().await;
    let (other, other_path) = fixture.session().await;
    type Plant<'a> = &'a dyn Fn(&PathBuf);
    let plants: [(&str, QuarantineReason, Plant<'_>); 8] = [
        ("text", QuarantineReason::Foreign, &|path| {
            std::fs::write(path, "a note to myself").expect("a file")
        }),
        ("zeroes", QuarantineReason::Torn, &|path| {
            std::fs::write(path, [0; 4_096]).expect("a file")
        }),
        ("another session", QuarantineReason::Foreign, &|path| {
            assert_ne!(std::fs::copy(&other_path, path).expect("a copy"), 0)
        }),
        ("a folder", QuarantineReason::Unreadable, &|path| {
            std::fs::create_dir(path).expect("a folder")
        }),
        ("a folder with files", QuarantineReason::Unreadable, &|path| {
            std::fs::create_dir(path).expect("a folder");
            std::fs::write(path.join("file"), "x").expect("a file");
        }),
        ("a link", QuarantineReason::Unreadable, &|path| {
            std::os::unix::fs::symlink(&other_path, path).expect("a link")
        }),
        ("a dead link", QuarantineReason::Unreadable, &|path| {
            std::os::unix::fs::symlink("/nowhere/at/all", path).expect("a link");
        }),
        ("a socket", QuarantineReason::Unreadable, &|path| {
            // Paths of sockets must be short, so make it elsewhere and move it.
            let short = TempFolder::new();
            drop(std::os::unix::net::UnixListener::bind(short.path().join("s")).expect("a socket"));
            std::fs::rename(short.path().join("s"), path).expect("a socket");
        }),
    ];
    for (what, reason, plant) in plants {
        let (key, path) = fixture.session().await;
        std::fs::remove_file(&path).expect("the file of the session");
        plant(&path);
        fixture.expect_quarantine(&key, reason, None, what).await;
    }
    assert!(fixture.storage.read(&other).await.expect("read").is_found());
}

/// Opening a pipe blocks until its other end is opened, unless it is opened as non-blocking.
#[tokio::test]
async fn a_pipe_is_quarantined_without_blocking() {
    let fixture = Fixture::new().await;
    let (key, path) = fixture.session().await;
    std::fs::remove_file(&path).expect("the file of the session");
    let made = std::process::Command::new("mkfifo")
        .arg(&path)
        .status()
        .expect("mkfifo is needed for this test");
    assert!(made.success(), "mkfifo is needed for this test");
    let waits = tokio::time::timeout(
        Duration::from_secs(60),
        fixture.expect_quarantine(&key, QuarantineReason::Unreadable, None, "a pipe"),
    );
    waits.await.expect("opening a pipe blocks");
}

#[tokio::test]
async fn a_later_format_is_left_alone() {
    let fixture = Fixture::new().await;
    let (key, path) = fixture.session().await;
    // A file as a later version might write it: the same magic number, and a correct checksum.
    let kind = Kind::Record {
        meta: Meta::new(START),
        from: None,
    };
    let mut bytes = encode(
        &Header {
            key,
            stamp: [1; 16],
            kind,
        },
        PAYLOAD,
    );
    bytes[8] = 2;
    let sum = <sha2::Sha256 as sha2::Digest>::digest(&bytes[..HEADER_LEN - 16]);
    bytes[HEADER_LEN - 16..HEADER_LEN].copy_from_slice(&sum[..16]);
    std::fs::write(&path, &bytes).expect("the file of the session");
    for _ in 0..2 {
        let error = fixture
            .storage
            .read(&key)
            .await
            .expect_err("a later format was decoded");
        assert_eq!(error.kind(), StorageErrorKind::Unsupported, "{error:?}");
    }
    fixture.storage.sweep(100).await.expect("sweep");
    assert_eq!(std::fs::read(&path).expect("the file stays"), bytes);
    assert_eq!(fixture.reports.lock().expect("reports").len(), 0);
}

#[tokio::test]
async fn after_the_quarantine_the_session_is_missing() {
    let fixture = Fixture::new().await;
    let (key, path) = fixture.session().await;
    std::fs::write(&path, "damaged").expect("the file of the session");
    let error = fixture.storage.read(&key).await.expect_err("damaged");
    assert_eq!(error.kind(), StorageErrorKind::Corrupt);
    fixture
        .clock
        .advance(Duration::from_secs(3_600) - Duration::from_millis(1));
    let error = fixture.storage.read(&key).await.expect_err("damaged");
    assert_eq!(error.kind(), StorageErrorKind::Corrupt);
    fixture.clock.advance(Duration::from_millis(1));
    assert_eq!(fixture.storage.read(&key).await.expect("read"), Lookup::Missing);
    fixture.storage.sweep(100).await.expect("sweep");
    assert!(!path.exists(), "the mark is swept");
    assert_eq!(
        count_files(&fixture.layout.quarantine()),
        1,
        "the quarantined file stays"
    );
}

/// A corrupt lease counts as none: its holder is refused, no task waits for it, and nothing is lost.
#[tokio::test]
async fn a_corrupt_lease_frees_the_session() {
    let fixture = Fixture::new().await;
    let (key, _) = fixture.session().await;
    for damage in ["", "not a lease"] {
        let mut locked = fixture
            .storage
            .lock(&key, Duration::ZERO)
            .await
            .expect("lock")
            .found()
            .expect("live");
        std::fs::write(fixture.layout.lease(&key), damage).expect("the lease");
        let record = Record::new(locked.record.meta.clone(), "late");
        let error = fixture
            .storage
            .commit(&mut locked.lock, record)
            .await
            .expect_err("the lease is not there");
        assert_eq!(error.kind(), StorageErrorKind::LockLost);
        let next = fixture
            .storage
            .lock(&key, Duration::ZERO)
            .await
            .expect("lock")
            .found()
            .expect("live");
        assert_eq!(next.record.payload, PAYLOAD);
        fixture.storage.release(next.lock).await.expect("release");
    }
}

/// A sweep finds corrupt sessions as well, and sweeps the others all the same.
#[tokio::test]
async fn a_sweep_quarantines_corrupt_files() {
    let fixture = Fixture::new().await;
    let (damaged, path) = fixture.session().await;
    std::fs::write(&path, "not a session at all").expect("the file of the session");
    let leaf = fixture.layout.leaf_of(&damaged);
    std::fs::write(leaf.join("notes.txt"), "a note to myself").expect("a file");
    std::fs::write(
        fixture.layout.leases(0x8a).parent().expect("a stripe").join("README"),
        "x",
    )
    .ok();
    let expired = SessionId::generate(&OsEntropy).key();
    let record = Record::new(Meta::new(START).with_deadline(Some(START)), "expired");
    fixture.storage.create(&expired, record).await.expect("create");

    // A sweep reads a file only if its date allows that it has expired. The date of a corrupt file may be anything.
    let old = std::time::SystemTime::UNIX_EPOCH;
    std::fs::File::open(&path)
        .and_then(|file| file.set_modified(old))
        .expect("the file of the session");
    let swept = fixture.storage.sweep(100).await.expect("sweep");
    assert_eq!(swept.iter().map(|stored| stored.key).collect::<Vec<_>>(), [expired]);
    let mut reasons: Vec<_> = fixture
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
            (None, QuarantineReason::Foreign),
            (Some(damaged), QuarantineReason::Foreign)
        ]
    );
    let error = fixture.storage.read(&damaged).await.expect_err("damaged");
    assert_eq!(error.kind(), StorageErrorKind::Corrupt);
    // A scan lists the other sessions.
    let page = fixture.storage.scan(None, 100).await.expect("scan");
    assert_eq!(
        page.sessions.iter().map(|head| head.key).collect::<Vec<_>>(),
        [fixture.bystander]
    );
}
