//! The steps that the tests cut, refuse and halt, each with what was there before and what may be there afterwards.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{
    Clock, Lock, Lookup, ManualClock, Meta, Record, SessionId, SessionKey, Storage, StorageError, StorageErrorKind,
    SystemClock, Timestamp,
};

use crate::folder::layout::{leaf_of, stripe_of};
use crate::{Durability, FileStorage, FileStorageBuilder};

/// A step that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Create,
    Lock,
    Commit,
    Rotate,
    RotateWithGrace,
    Release,
    Renew,
    Touch,
    Destroy,
    Sweep,
    SetAside,
}

impl Step {
    pub(crate) const ALL: [Self; 11] = [
        Self::Create,
        Self::Lock,
        Self::Commit,
        Self::Rotate,
        Self::RotateWithGrace,
        Self::Release,
        Self::Renew,
        Self::Touch,
        Self::Destroy,
        Self::Sweep,
        Self::SetAside,
    ];

    pub(crate) fn named(name: &str) -> Self {
        *Self::ALL
            .iter()
            .find(|step| format!("{step:?}") == name)
            .expect("the name of a step")
    }

    fn needs_lock(self) -> bool {
        matches!(
            self,
            Self::Commit | Self::Rotate | Self::RotateWithGrace | Self::Release | Self::Renew
        )
    }
}

/// What stands under the key a step is about and, by rotation, under the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) key: Lookup<Vec<u8>>,
    pub(crate) next: Lookup<Vec<u8>>,
    pub(crate) touched: bool,
}

/// One session, another in the same stripe that nothing may happen to, and the way to a step.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) step: Step,
    pub(crate) key: SessionKey,
    pub(crate) next: SessionKey,
    bystander: SessionKey,
}

pub(crate) const OLD: &[u8] = b"old";
pub(crate) const NEW: &[u8] = b"the new payload";
const GRACE: Duration = Duration::from_secs(600);

/// A moment from which on the clocks of these tests run, in the past of the machine's.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// When the sessions of these tests end, before and after they are touched.
const DEADLINES: [Duration; 2] = [Duration::from_secs(3_600), Duration::from_secs(7_200)];

impl Scenario {
    /// Everything is named after the step, so that a child process finds it by the step alone.
    pub(crate) fn new(step: Step) -> Self {
        let key = |name: &str| {
            SessionId::parse(&format!("scenario-{step:?}-{name}"))
                .expect("an id")
                .key()
        };
        let scenario = Self {
            step,
            key: key("key"),
            next: key("next"),
            bystander: key("bystander"),
        };
        assert_eq!(
            stripe_of(&scenario.key),
            stripe_of(&scenario.bystander),
            "they are to be neighbours"
        );
        scenario
    }

    /// Others in the same leaf, which are swept along in one batch.
    pub(crate) fn leafmates(&self) -> Vec<SessionKey> {
        let at = |key: &SessionKey| (stripe_of(key), leaf_of(key));
        (0..)
            .map(|number| format!("scenario-{:?}-leafmate-{number}", self.step))
            .map(|id| SessionId::parse(&id).expect("an id").key())
            .filter(|key| at(key) == at(&self.key))
            .take(2)
            .collect()
    }

    fn record(&self, clock: &dyn Clock, payload: &'static [u8]) -> Record {
        let now = clock.now();
        let life = if self.step == Step::Sweep {
            Duration::ZERO
        } else {
            DEADLINES[0]
        };
        Record::new(Meta::new(now).with_deadline(Some(now + life)), payload)
    }

    /// What is there before the step.
    pub(crate) async fn prepare(&self, storage: &FileStorage, folder: &Path) {
        let record = self.record(storage.clock(), OLD);
        let mut beside = record.clone();
        beside.meta.deadline = None;
        storage.create(&self.bystander, beside).await.expect("create");
        if self.step == Step::Sweep {
            for key in self.leafmates() {
                storage.create(&key, record.clone()).await.expect("create");
            }
        }
        if self.step != Step::Create {
            storage.create(&self.key, record).await.expect("create");
        }
        if self.step == Step::SetAside {
            let path = crate::folder::layout::Layout::new(folder).record(&self.key);
            let mut bytes = std::fs::read(&path).expect("the file of the session");
            *bytes.last_mut().expect("a payload") ^= 1;
            std::fs::write(&path, bytes).expect("the file of the session");
        }
    }

    /// Takes the lock, where the step needs it.
    pub(crate) async fn lock(&self, storage: &FileStorage) -> Option<Lock> {
        if !self.step.needs_lock() {
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

    /// Takes the step.
    pub(crate) async fn take(&self, storage: &FileStorage, lock: &mut Option<Lock>) -> Result<(), StorageError> {
        let record = || {
            let mut record = self.record(storage.clock(), NEW);
            record.meta.version = 2;
            record
        };
        let key = &self.key;
        const LOCK: &str = "the step needs a lock";
        match self.step {
            Step::Create => storage.create(key, record()).await,
            Step::Lock => storage.lock(key, Duration::ZERO).await.map(drop),
            Step::Commit => storage.commit(lock.as_mut().expect(LOCK), record()).await,
            Step::Rotate => {
                storage
                    .rotate(lock.as_mut().expect(LOCK), &self.next, record(), Duration::ZERO)
                    .await
            }
            Step::RotateWithGrace => {
                storage
                    .rotate(lock.as_mut().expect(LOCK), &self.next, record(), GRACE)
                    .await
            }
            Step::Release => storage.release(lock.take().expect(LOCK)).await,
            Step::Renew => storage.renew(&lock.as_ref().expect(LOCK).ticket()).await,
            Step::Touch => {
                let now = storage.clock().now();
                storage.touch(key, 1, Some(now + DEADLINES[1]), now).await.map(drop)
            }
            Step::Destroy => storage.destroy(key).await.map(drop),
            Step::Sweep => storage.sweep(10).await.map(drop),
            Step::SetAside => match storage.read(key).await {
                Err(error) if error.kind() == StorageErrorKind::Corrupt => Ok(()),
                other => panic!("a damaged session was read: {other:?}"),
            },
        }
    }

    /// What stands there now.
    pub(crate) async fn look(&self, storage: &FileStorage) -> Seen {
        let bystander = storage
            .read(&self.bystander)
            .await
            .expect("read")
            .found()
            .expect("the bystander lives");
        assert_eq!(bystander.record.payload, OLD, "something happened to the bystander");
        let mut touched = false;
        let mut look = async |key| {
            if self.step == Step::SetAside {
                let error = storage.read(key).await.expect_err("a damaged session was read");
                assert_eq!(error.kind(), StorageErrorKind::Corrupt, "{error:?}");
                return Lookup::Missing;
            }
            storage.read(key).await.expect("read").map(|stored| {
                let meta = stored.record.meta;
                touched |= meta
                    .deadline
                    .is_some_and(|deadline| meta.created_at + DEADLINES[0] < deadline);
                stored.record.payload.to_vec()
            })
        };
        let key = look(&self.key).await;
        let next = if self.step == Step::SetAside {
            Lookup::Missing
        } else {
            look(&self.next).await
        };
        Seen { key, next, touched }
    }

    /// What must be there if the step has not been taken, and if it has.
    pub(crate) fn expected(&self) -> [Seen; 2] {
        let seen = |key: Lookup<&[u8]>, next: Lookup<&[u8]>| Seen {
            key: key.map(<[u8]>::to_vec),
            next: next.map(<[u8]>::to_vec),
            touched: false,
        };
        let (missing, superseded) = (Lookup::Missing, Lookup::Superseded);
        let before = seen(Lookup::Found(OLD), missing.clone());
        let after = match self.step {
            Step::Create => {
                return [
                    seen(missing.clone(), missing.clone()),
                    seen(Lookup::Found(NEW), missing),
                ];
            }
            Step::Sweep | Step::SetAside => return [(); 2].map(|()| seen(missing.clone(), missing.clone())),
            Step::Commit => seen(Lookup::Found(NEW), missing),
            Step::Rotate => seen(superseded, Lookup::Found(NEW)),
            Step::RotateWithGrace => seen(Lookup::Found(NEW), Lookup::Found(NEW)),
            Step::Destroy => seen(missing.clone(), missing),
            Step::Lock | Step::Release | Step::Renew => before.clone(),
            Step::Touch => Seen {
                touched: true,
                ..before.clone()
            },
        };
        [before, after]
    }

    /// That the session can be used afterwards, and what must hold then: destroying it is final.
    pub(crate) async fn use_it(&self, storage: &FileStorage) {
        for key in [&self.key, &self.next] {
            if self.step == Step::SetAside {
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

/// A storage as these tests want it.
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

/// A clock that starts at [`START`].
pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START))
}

/// The machine's clock: for tests with more than one process.
pub(crate) fn wall() -> SystemClock {
    SystemClock
}
