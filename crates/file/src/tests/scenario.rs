//! [`Scenario`]: an operation with the state before it and the possible states after it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{
    Clock, Facts, Lock, Lookup, ManualClock, Meta, Record, SessionId, SessionKey, Storage, StorageError,
    StorageErrorKind, SystemClock, Timestamp,
};

use super::operation::Operation;
use crate::folder::layout::{leaf_of, stripe_of};
use crate::{Durability, FileStorage, FileStorageBuilder};

/// The observed state of the key of an operation, and of the key to which a rotation moves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observed {
    pub(crate) key: Lookup<Vec<u8>>,
    pub(crate) next: Lookup<Vec<u8>>,
    pub(crate) touched: bool,
}

/// A session for an operation, and a bystander in the same stripe that must not change.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) operation: Operation,
    pub(crate) key: SessionKey,
    pub(crate) next: SessionKey,
    bystander: SessionKey,
}

pub(crate) const OLD: &[u8] = b"old";
pub(crate) const NEW: &[u8] = b"the new payload";
const GRACE: Duration = Duration::from_secs(600);

/// The start of the clocks of these tests, in the past of the machine's clock.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// The lifetimes of the sessions of these tests, before and after they are touched.
const DEADLINES: [Duration; 2] = [Duration::from_secs(3_600), Duration::from_secs(7_200)];

impl Scenario {
    /// Derives all keys from the operation, so that a child process needs only its name.
    pub(crate) fn new(operation: Operation) -> Self {
        let key = |name: &str| {
            SessionId::parse(&format!("scenario-{operation:?}-{name}"))
                .expect("an id")
                .key()
        };
        let scenario = Self {
            operation,
            key: key("key"),
            next: key("next"),
            bystander: key("bystander"),
        };
        assert_eq!(
            stripe_of(&scenario.key),
            stripe_of(&scenario.bystander),
            "they must share a stripe"
        );
        scenario
    }

    /// Returns the keys of other sessions in the same leaf, which are swept in one batch.
    pub(crate) fn leafmates(&self) -> Vec<SessionKey> {
        let at = |key: &SessionKey| (stripe_of(key), leaf_of(key));
        (0..)
            .map(|number| format!("scenario-{:?}-leafmate-{number}", self.operation))
            .map(|id| SessionId::parse(&id).expect("an id").key())
            .filter(|key| at(key) == at(&self.key))
            .take(2)
            .collect()
    }

    fn record(&self, clock: &dyn Clock, payload: &'static [u8]) -> Record {
        let now = clock.now();
        let life = if self.operation == Operation::Sweep {
            Duration::ZERO
        } else {
            DEADLINES[0]
        };
        let meta = Meta::new(now).with_deadline(Some(now + life));
        Record::new(meta.with_facts(facts(payload)), payload)
    }

    /// Sets up the state before the operation.
    pub(crate) async fn prepare(&self, storage: &FileStorage, folder: &Path) {
        let record = self.record(storage.clock(), OLD);
        let mut beside = record.clone();
        beside.meta.deadline = None;
        beside.meta.facts = Facts::NONE;
        storage.create(&self.bystander, beside).await.expect("create");
        if self.operation == Operation::Sweep {
            for key in self.leafmates() {
                storage.create(&key, record.clone()).await.expect("create");
            }
        }
        if self.operation != Operation::Create {
            storage.create(&self.key, record).await.expect("create");
        }
        if self.operation == Operation::Quarantine {
            let path = crate::folder::layout::Layout::new(folder).record(&self.key);
            let mut bytes = std::fs::read(&path).expect("the file of the session");
            *bytes.last_mut().expect("a payload") ^= 1;
            std::fs::write(&path, bytes).expect("the file of the session");
        }
    }

    /// Takes the lock, if the operation needs it.
    pub(crate) async fn lock(&self, storage: &FileStorage) -> Option<Lock> {
        if !self.operation.needs_lock() {
            return None;
        }
        let locked = storage
            .lock(&self.key, Duration::ZERO)
            .await
            .expect("lock")
            .found()
            .expect("live");
        Some(locked.lock)
    }

    /// Runs the operation.
    pub(crate) async fn run(&self, storage: &FileStorage, lock: &mut Option<Lock>) -> Result<(), StorageError> {
        let record = || {
            let mut record = self.record(storage.clock(), NEW);
            record.meta.version = 2;
            record
        };
        let key = &self.key;
        const LOCK: &str = "the operation needs a lock";
        match self.operation {
            Operation::Create => storage.create(key, record()).await,
            Operation::Lock => storage.lock(key, Duration::ZERO).await.map(drop),
            Operation::Commit => storage.commit(lock.as_mut().expect(LOCK), record()).await,
            Operation::Rotate => {
                storage
                    .rotate(lock.as_mut().expect(LOCK), &self.next, record(), Duration::ZERO)
                    .await
            }
            Operation::RotateWithGrace => {
                storage
                    .rotate(lock.as_mut().expect(LOCK), &self.next, record(), GRACE)
                    .await
            }
            Operation::Release => storage.release(lock.take().expect(LOCK)).await,
            Operation::Renew => storage.renew(&lock.as_ref().expect(LOCK).id()).await,
            Operation::Touch => {
                let now = storage.clock().now();
                storage.touch(key, 1, Some(now + DEADLINES[1]), now).await.map(drop)
            }
            Operation::Destroy => storage.destroy(key).await.map(drop),
            Operation::Sweep => storage.sweep(10).await.map(drop),
            Operation::Quarantine => match storage.read(key).await {
                Err(error) if error.kind() == StorageErrorKind::Corrupt => Ok(()),
                other => panic!("a damaged session was read: {other:?}"),
            },
        }
    }

    /// Returns the present state.
    pub(crate) async fn observe(&self, storage: &FileStorage) -> Observed {
        let bystander = storage
            .read(&self.bystander)
            .await
            .expect("read")
            .found()
            .expect("the bystander lives");
        assert_eq!(bystander.record.payload, OLD, "the bystander has changed");
        let mut touched = false;
        let mut observe = async |key| {
            if self.operation == Operation::Quarantine {
                let error = storage.read(key).await.expect_err("a damaged session was read");
                assert_eq!(error.kind(), StorageErrorKind::Corrupt, "{error:?}");
                return Lookup::Missing;
            }
            storage.read(key).await.expect("read").map(|stored| {
                let meta = stored.record.meta;
                touched |= meta
                    .deadline
                    .is_some_and(|deadline| meta.created_at + DEADLINES[0] < deadline);
                if [OLD, NEW].contains(&&*stored.record.payload) {
                    let expected = facts(&stored.record.payload);
                    assert_eq!(meta.facts, expected, "the facts are of another write");
                }
                stored.record.payload.to_vec()
            })
        };
        let key = observe(&self.key).await;
        let next = if self.operation == Operation::Quarantine {
            Lookup::Missing
        } else {
            observe(&self.next).await
        };
        Observed { key, next, touched }
    }

    /// Returns the state without the operation, and the state with it.
    pub(crate) fn expected(&self) -> [Observed; 2] {
        let seen = |key: Lookup<&[u8]>, next: Lookup<&[u8]>| Observed {
            key: key.map(<[u8]>::to_vec),
            next: next.map(<[u8]>::to_vec),
            touched: false,
        };
        let (missing, superseded) = (Lookup::Missing, Lookup::Superseded);
        let before = seen(Lookup::Found(OLD), missing.clone());
        let after = match self.operation {
            Operation::Create => {
                return [
                    seen(missing.clone(), missing.clone()),
                    seen(Lookup::Found(NEW), missing),
                ];
            }
            Operation::Sweep | Operation::Quarantine => {
                return [(); 2].map(|()| seen(missing.clone(), missing.clone()));
            }
            Operation::Commit => seen(Lookup::Found(NEW), missing),
            Operation::Rotate => seen(superseded, Lookup::Found(NEW)),
            Operation::RotateWithGrace => seen(Lookup::Found(NEW), Lookup::Found(NEW)),
            Operation::Destroy => seen(missing.clone(), missing),
            Operation::Lock | Operation::Release | Operation::Renew => before.clone(),
            Operation::Touch => Observed {
                touched: true,
                ..before.clone()
            },
        };
        [before, after]
    }

    /// Checks that the session can be used afterwards, and that destroying it is final.
    pub(crate) async fn exercise(&self, storage: &FileStorage) {
        for key in [&self.key, &self.next] {
            if self.operation == Operation::Quarantine {
                continue;
            }
            let locked = storage
                .lock(key, Duration::from_secs(10))
                .await
                .expect("the lock of a dead holder is free");
            if let Lookup::Found(mut locked) = locked {
                let record = Record::new(locked.record.meta.clone(), "used");
                storage.commit(&mut locked.lock, record).await.expect("commit");
                assert_eq!(
                    storage
                        .read(key)
                        .await
                        .expect("read")
                        .found()
                        .expect("live")
                        .record
                        .payload,
                    "used"
                );
                storage.destroy(key).await.expect("destroy");
                assert!(
                    !storage.read(key).await.expect("read").is_found(),
                    "a destroyed session came back"
                );
            }
        }
    }
}

/// Returns facts that belong to a payload.
fn facts(payload: &[u8]) -> Facts {
    let length = u8::try_from(payload.len()).expect("a short payload");
    Facts::from_bytes(&[&[0x63, length][..], payload].concat()).expect("facts")
}

/// Opens a storage with the settings of these tests.
pub(crate) fn open(
    folder: &Path,
    clock: impl Clock,
    adapt: impl FnOnce(FileStorageBuilder) -> FileStorageBuilder,
) -> FileStorage {
    let builder = FileStorage::builder(folder)
        .clock(clock)
        .durability(Durability::Sync)
        .sweep_every(None);
    adapt(builder).open().expect("open")
}

/// Returns a clock that starts at [`START`].
pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START))
}

/// Returns the machine's clock, for tests with more than one process.
pub(crate) fn wall() -> SystemClock {
    SystemClock
}
