//! [`Fixture`]: a storage with a session whose file is replaced, and a bystander, which must stay intact.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sessile_core::{
    Lookup, ManualClock, Meta, Record, SessionId, SessionKey, Storage, StorageError, StorageErrorKind, Timestamp,
};
use sessile_file::{Durability, FileStorage};
use tokio::runtime::Runtime;

use super::oracle::{self, Truth};

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const PAYLOAD: &[u8] = b"the values of the bystander";

/// No operation takes this long, even on a slow machine.
const HANG: Duration = Duration::from_secs(60);

/// The storage and its two sessions.
pub(super) struct Fixture {
    runtime: Runtime,
    storage: FileStorage,
    key: SessionKey,
    path: PathBuf,
    lease: PathBuf,
    aside: PathBuf,
    bystander: SessionKey,
    folder: PathBuf,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        let folder = std::env::temp_dir().join(format!("sessile-fuzz-{}", std::process::id()));
        let storage = FileStorage::builder(&folder)
            .durability(Durability::Relaxed)
            .sweep_every(None)
            .clock(ManualClock::at(START))
            .open()
            .expect("a storage");
        // The same stripe, so that both share as much as sessions can.
        let [key, bystander] = ["the-session-that-is-replaced", "the-bystander"]
            .map(|id| SessionId::parse(id.repeat(2).as_str()).expect("an id").key());
        for key in [&key, &bystander] {
            let record = Record::new(Meta::new(START), PAYLOAD);
            runtime.block_on(storage.create(key, record)).expect("create");
        }
        let path = path_of(&folder, &key);
        let stripe = path.ancestors().nth(2).expect("a record lies two folders deep");
        let lease = stripe
            .join("leases")
            .join(path.file_name().expect("a record has a name"));
        Self {
            runtime,
            storage,
            key,
            path,
            lease,
            aside: folder.join("aside"),
            bystander,
            folder,
        }
    }

    pub(super) fn key(&self) -> &SessionKey {
        &self.key
    }

    /// Replaces the file of the session.
    pub(super) fn plant(&self, file: &[u8]) {
        fs::write(&self.path, file).expect("the file of the session");
    }

    /// Asserts that the storage reads the file as expected, and that the bystander is intact.
    pub(super) fn read_is(&self, truth: &Truth) {
        let read = self.runtime.block_on(self.storage.read(&self.key));
        match (truth, read) {
            (Truth::Damaged, read) => is_refused(read),
            (Truth::Record(record), Ok(Lookup::Found(found))) => {
                assert_eq!(found.key, self.key);
                assert_eq!(record.payload, found.record.payload);
                is_meta(record, &found.record.meta);
            }
            (Truth::Record(record), Ok(Lookup::Missing)) => {
                assert!(record.deadline <= START.as_millis(), "it is not over: {record:?}");
            }
            // A field with a value that no version has written.
            (Truth::Record(_) | Truth::Intact(0 | 2), Err(error)) => {
                assert_eq!(error.kind(), StorageErrorKind::Unsupported, "{error:?}");
            }
            // It may have moved, but only to the one session that exists.
            (Truth::Intact(2), Ok(Lookup::Found(found))) => assert_eq!(found.key, self.bystander),
            (Truth::Intact(2), Ok(_)) | (Truth::Intact(3 | 4), Ok(Lookup::Missing)) => {}
            (Truth::Intact(4 | 5), Err(error)) => assert_eq!(error.kind(), StorageErrorKind::Corrupt, "{error:?}"),
            (Truth::Intact(kind), Err(error)) if *kind > 6 => {
                assert_eq!(error.kind(), StorageErrorKind::Unsupported, "{error:?}");
            }
            (truth, read) => panic!("{truth:?} was read as {read:?}"),
        }
        self.bystander_is_well();
    }

    /// Asserts that the other operations end, with the content of the file or with an error.
    pub(super) fn lock_and_end(&self, truth: &Truth) {
        let (storage, key) = (&self.storage, &self.key);
        self.runtime.block_on(async {
            let lock = tokio::time::timeout(HANG, storage.lock(key, Duration::ZERO));
            if let Ok(Lookup::Found(locked)) = lock.await.expect("a lock without waiting returns at once") {
                assert_ne!(*truth, Truth::Damaged);
                storage.release(locked.lock).await.expect("release");
            }
            let moved = matches!(truth, Truth::Intact(2));
            if !moved {
                let _ = storage.touch(key, 1, Some(Timestamp::MAX), START).await;
                if let Ok(found) = storage.destroy(key).await {
                    assert!(!found.is_found() || matches!(truth, Truth::Record(_)), "{truth:?}");
                    assert_eq!(storage.read(key).await.expect("it was ended"), Lookup::Missing);
                }
            }
        });
        self.bystander_is_well();
    }

    fn bystander_is_well(&self) {
        let read = self.runtime.block_on(self.storage.read(&self.bystander));
        let found = read.expect("the bystander can be read").found();
        assert_eq!(found.expect("the bystander is there").record.payload, PAYLOAD);
    }

    /// Removes the files that the input has left.
    pub(super) fn clear(&self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.lease);
        for entry in fs::read_dir(&self.aside).expect("the folder is there").flatten() {
            fs::remove_file(entry.path()).expect("a quarantined file");
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Asserts that a damaged file is an error: neither a session nor an empty one.
fn is_refused<T: std::fmt::Debug>(read: Result<T, StorageError>) {
    let error = read.expect_err("a damaged file was read");
    let expected = [StorageErrorKind::Corrupt, StorageErrorKind::Unsupported];
    assert!(expected.contains(&error.kind()), "{error:?}");
}

fn is_meta(record: &oracle::Record, meta: &Meta) {
    // Timestamps end at their maximum.
    let moment = |millis: u64| Timestamp::from_millis(millis.min(Timestamp::MAX.as_millis()));
    assert_eq!(meta.created_at, moment(record.created_at));
    assert_eq!(meta.last_active, moment(record.last_active));
    assert_eq!(meta.version, record.version);
    assert_eq!(meta.facts.as_bytes(), record.facts);
    match meta.deadline {
        None => assert_eq!(record.deadline, u64::MAX),
        Some(deadline) => {
            assert_eq!(deadline, moment(record.deadline));
            assert!(deadline > START, "it is over");
        }
    }
}

fn path_of(folder: &Path, key: &SessionKey) -> PathBuf {
    let digest = key.to_string()[4..].to_owned();
    let stripes = fs::read_dir(folder).expect("the folder").flatten();
    let mut leaves = stripes.map(|stripe| stripe.path().join(&digest[..2]));
    let files = leaves
        .by_ref()
        .filter_map(|leaf| fs::read_dir(leaf).ok())
        .flatten()
        .flatten();
    let mut paths = files.map(|file| file.path());
    let is_its = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(&digest))
    };
    paths.find(is_its).expect("the session has a file")
}
