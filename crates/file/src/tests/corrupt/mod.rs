//! A corrupt file is reported and quarantined, however it is corrupt, and affects no other session.

mod damage;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile_core::{
    Facts, Lookup, ManualClock, Meta, OsEntropy, Record, SessionId, SessionKey, Storage, StorageErrorKind,
};

use super::common::TempFolder;
use super::scenario::{START, clock, open};
use crate::folder::layout::Layout;
use crate::{Durability, FileStorage, QuarantineReason, QuarantinedFile};

const PAYLOAD: &[u8] = b"thirty-two bytes of a payload...";
const FACTS: &[u8] = b"\x01\x03ada";

struct Fixture {
    storage: FileStorage,
    layout: Layout,
    clock: Arc<ManualClock>,
    reports: Arc<Mutex<Vec<QuarantinedFile>>>,
    bystander: SessionKey,
    _folder: TempFolder,
}

impl Fixture {
    async fn new() -> Self {
        let folder = TempFolder::new();
        let reports = Arc::new(Mutex::new(Vec::new()));
        let clock = clock();
        let storage = open(folder.path(), clock.clone(), |builder| {
            let reports = reports.clone();
            let builder = builder.on_quarantine(move |file| reports.lock().expect("reports").push(file.clone()));
            builder.durability(Durability::Relaxed)
        });
        let bystander = SessionId::generate(&OsEntropy).key();
        let layout = Layout::new(folder.path());
        let fixture = Self {
            storage,
            layout,
            clock,
            reports,
            bystander,
            _folder: folder,
        };
        fixture.create(&bystander, &[]).await;
        fixture
    }

    async fn create(&self, key: &SessionKey, facts: &[u8]) {
        let meta = Meta::new(START).with_facts(Facts::from_bytes(facts).expect("facts"));
        self.storage
            .create(key, Record::new(meta, PAYLOAD))
            .await
            .expect("create");
    }

    /// Creates a session, and returns its key and the path of its file.
    async fn session(&self) -> (SessionKey, PathBuf) {
        self.session_with(&[]).await
    }

    /// Creates a session with facts.
    async fn session_with(&self, facts: &[u8]) -> (SessionKey, PathBuf) {
        let key = SessionId::generate(&OsEntropy).key();
        self.create(&key, facts).await;
        (key, self.layout.record(&key))
    }

    /// Checks that each operation reports the corruption, that the file is kept, and that the session can be destroyed.
    async fn expect_quarantine(&self, key: &SessionKey, reason: QuarantineReason, bytes: Option<&[u8]>, what: &str) {
        let corrupt = StorageErrorKind::Corrupt;
        self.reports.lock().expect("reports").clear();
        for _ in 0..2 {
            let error = self.storage.read(key).await.expect_err(what);
            assert_eq!(error.kind(), corrupt, "{what}: {error:?}");
            assert!(
                std::error::Error::source(&error).is_some(),
                "{what}: the error has no source"
            );
        }
        let reports = std::mem::take(&mut *self.reports.lock().expect("reports"));
        let [report] = &reports[..] else {
            panic!("{what}: reported {} times", reports.len())
        };
        assert_eq!((report.key, report.reason), (Some(*key), reason), "{what}");
        assert!(
            report.path.display().to_string().contains(&reason.to_string()),
            "{what}: {report:?}"
        );
        if let Some(bytes) = bytes {
            assert_eq!(
                std::fs::read(&report.path).expect("the quarantined file"),
                bytes,
                "{what}"
            );
        }

        let now = self.clock();
        let error = self.storage.lock(key, Duration::from_secs(5)).await.expect_err(what);
        assert_eq!(error.kind(), corrupt, "{what}: {error:?}");
        let error = self.storage.touch(key, 1, None, now).await.expect_err(what);
        assert_eq!(error.kind(), corrupt, "{what}: {error:?}");
        let error = self
            .storage
            .create(key, Record::new(Meta::new(now), "new"))
            .await
            .expect_err(what);
        assert_eq!(error.kind(), corrupt, "{what}: {error:?}");
        assert_eq!(self.storage.destroy(key).await.expect(what), Lookup::Missing, "{what}");
        assert_eq!(self.storage.read(key).await.expect(what), Lookup::Missing, "{what}");
        let bystander = self
            .storage
            .read(&self.bystander)
            .await
            .expect("read")
            .found()
            .expect("the bystander lives");
        assert_eq!(bystander.record.payload, PAYLOAD, "{what}: the bystander has changed");
    }

    fn clock(&self) -> sessile_core::Timestamp {
        self.storage.clock().now()
    }
}
