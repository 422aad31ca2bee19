//! The model in a file: a storage that several processes can share.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use sessile_core::{
    Capabilities, Clock, Cursor, Lock, LockId, LockToken, Locked, Lookup, OsEntropy, Page, Record, SessionKey, Storage,
    StorageError, StorageErrorKind, Stored, SystemClock, Timestamp, Unlock,
};
use sessile_lab::{Bug, state_text};
use sessile_testkit::model::{Attempt, Correct, ModelState, Rotation, Rules};

/// A defect of the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    None,
    /// A rule with a bug.
    Rule(Bug),
    /// Expired records are found for a while.
    ExpiresLate,
    /// Processes do not exclude each other from the file.
    NoFileLock,
    /// The file is overwritten in place, in two halves.
    InPlace,
}

/// A storage in a folder: one file with the whole state, replaced as a whole under a lock on the folder.
#[derive(Debug, Clone)]
pub(crate) struct SharedModel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    defect: Defect,
    rules: Box<dyn Rules>,
    lease: Duration,
}

impl SharedModel {
    pub(crate) fn open(folder: PathBuf, defect: Defect, lease: Duration) -> Self {
        let rules: Box<dyn Rules> = match defect {
            Defect::Rule(bug) => Box::new(bug),
            _ => Box::new(Correct),
        };
        Self(Arc::new(Inner {
            folder,
            defect,
            rules,
            lease,
        }))
    }
}

impl Inner {
    /// Runs one step on the state, exclusive among all processes.
    fn step<T>(
        &self,
        operation: &'static str,
        step: impl FnOnce(&dyn Rules, &mut ModelState, Timestamp) -> T,
    ) -> Result<T, StorageError> {
        let broken =
            |error: std::io::Error| StorageError::new(StorageErrorKind::Other, operation, "shared").with_source(error);
        let lock_file = File::create(self.folder.join("lock")).map_err(broken)?;
        // Poll instead of waiting in the system: the system could grant the lock to a stopped process, which would
        // block all others.
        while self.defect != Defect::NoFileLock && flock(&lock_file, FlockOperation::NonBlockingLockExclusive).is_err()
        {
            std::thread::sleep(Duration::from_micros(100));
        }
        let path = self.folder.join("state");
        let mut state = match fs::read_to_string(&path) {
            Ok(text) => state_text::decode(&text)
                .ok_or_else(|| StorageError::new(StorageErrorKind::Corrupt, operation, "shared"))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => ModelState::default(),
            Err(error) => return Err(broken(error)),
        };
        let now = match self.defect {
            Defect::ExpiresLate => Timestamp::from_millis(SystemClock.now().as_millis() - 200),
            _ => SystemClock.now(),
        };
        let result = step(&*self.rules, &mut state, now);
        self.save(&path, &state_text::encode(&state)).map_err(broken)?;
        Ok(result)
    }

    fn save(&self, path: &PathBuf, text: &str) -> std::io::Result<()> {
        if self.defect == Defect::InPlace {
            let mut file = File::create(path)?;
            let (one, other) = text.as_bytes().split_at(text.len() / 2);
            file.write_all(one)?;
            std::thread::sleep(Duration::from_millis(1));
            return file.write_all(other);
        }
        let temporary = self
            .folder
            .join(format!("new-{}-{:?}", std::process::id(), std::thread::current().id()));
        fs::write(&temporary, text)?;
        fs::rename(&temporary, path)
    }
}

impl Unlock for Inner {
    fn unlock(&self, lock_id: LockId) {
        // If this fails, the lease frees the lock.
        drop(self.step("release", |rules, state, _| rules.dropped(state, &lock_id)));
    }
}

fn error(operation: &'static str) -> impl Fn(StorageErrorKind) -> StorageError {
    move |kind| StorageError::new(kind, operation, "shared")
}

#[async_trait::async_trait]
impl Storage for SharedModel {
    fn name(&self) -> &'static str {
        "shared"
    }

    fn clock(&self) -> &dyn Clock {
        &SystemClock
    }

    fn capabilities(&self) -> Capabilities<'_> {
        Capabilities::none()
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        self.0.step("read", |rules, state, now| rules.read(state, key, now))
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let start = tokio::time::Instant::now();
        let lease = self.0.lease;
        loop {
            let token = LockToken::generate(&OsEntropy);
            let found = self
                .0
                .step("lock", |rules, state, now| rules.lock(state, key, token, lease, now))?;
            match found {
                Lookup::Missing => return Ok(Lookup::Missing),
                Lookup::Superseded => return Ok(Lookup::Superseded),
                Lookup::Found(Attempt::Taken(Stored { key, record, .. })) => {
                    let lock = Lock::new(LockId::new(key, token), lease, self.0.clone());
                    return Ok(Lookup::Found(Locked::new(lock, record)));
                }
                Lookup::Found(Attempt::Busy(_)) if start.elapsed() >= wait => {
                    return Err(error("lock")(StorageErrorKind::LockTimeout));
                }
                Lookup::Found(Attempt::Busy(_)) => tokio::time::sleep(Duration::from_millis(3)).await,
            }
        }
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        self.0
            .step("create", |rules, state, now| rules.create(state, key, record, now))?
            .map_err(error("create"))
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let lock_id = lock.id();
        self.0
            .step("commit", |rules, state, now| rules.commit(state, &lock_id, record, now))?
            .map_err(error("commit"))?;
        lock.disarm();
        Ok(())
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        self.0
            .step("replace", |rules, state, now| rules.replace(state, known, record, now))?
            .map_err(error("replace"))
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let lock_id = lock.id();
        let rotation = Rotation {
            to: *new_key,
            grace,
            tombstone: Duration::from_secs(60),
        };
        self.0
            .step("rotate", |rules, state, now| {
                rules.rotate(state, &lock_id, rotation, record, now)
            })?
            .map_err(error("rotate"))?;
        lock.disarm();
        Ok(())
    }

    async fn release(&self, mut lock: Lock) -> Result<(), StorageError> {
        let lock_id = lock.id();
        self.0
            .step("release", |rules, state, _| rules.release(state, &lock_id))?;
        lock.disarm();
        Ok(())
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        let lease = self.0.lease;
        self.0
            .step("renew", |rules, state, now| rules.renew(state, lock, lease, now))?
            .map_err(error("renew"))
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        self.0
            .step("touch", |rules, state, now| {
                rules.touch(state, key, version, deadline, last_active, now)
            })?
            .map_err(error("touch"))
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        self.0
            .step("destroy", |rules, state, now| rules.destroy(state, key, now))
    }

    async fn scan(&self, _: Option<Cursor>, _: usize) -> Result<Page, StorageError> {
        Err(error("scan")(StorageErrorKind::Unsupported))
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        self.0.step("sweep", |rules, state, now| rules.sweep(state, limit, now))
    }
}
