//! [`FileStorage`]: the operations of the [`Storage`] contract, on top of the blocking [`Files`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, Lock, LockId, Locked, Lookup, Page, Record, SessionKey, Storage, StorageError,
    StorageErrorKind, Stored, Timestamp,
};

#[cfg(target_os = "linux")]
use sessile_core::{Watch, WatchSessions};

use crate::failure::{NAME, Result as BlockingResult};
use crate::files::Files;
use crate::files::position::Position;
use crate::shared::Shared;
use crate::threads::JobClass;

/// Sessions in a folder, one file each.
///
/// Any number of processes can share the folder, and a process can open it more than once. The [crate](crate)
/// documentation lists the guarantees. Cloning is cheap; all clones are the same storage.
///
/// ```
/// use sessile_core::{Meta, OsEntropy, Record, SessionId, Storage};
/// use sessile_file::FileStorage;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("sessile-doc-{}", std::process::id()));
/// # let folder = folder.as_path();
/// let storage = FileStorage::open(folder)?;
/// let key = SessionId::generate(&OsEntropy).key();
/// storage.create(&key, Record::new(Meta::new(storage.clock().now()), "values")).await?;
///
/// let found = storage.read(&key).await?.found().expect("just created");
/// assert_eq!(found.record.payload, "values");
/// # std::fs::remove_dir_all(folder)?; Ok(()) }
/// ```
#[derive(Clone)]
pub struct FileStorage {
    pub(crate) shared: Arc<Shared>,
}

impl FileStorage {
    /// Returns the approximate number of files of expired sessions that have not been removed yet.
    ///
    /// The estimate extrapolates from the part of the folder that the sweeper of this storage has swept last. It rises
    /// and falls with the rate at which sessions end. An estimate that keeps rising means that sessions end faster than
    /// this disk removes their files; with the feature `tracing` there is a warning as well. Zero if the storage has no
    /// [sweeper](crate::FileStorageBuilder::sweep_every).
    #[must_use]
    pub fn sweep_backlog(&self) -> u64 {
        self.shared.sweeper.backlog()
    }

    /// Runs a blocking operation, and retries it while other processes interrupt it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        name: &'static str,
        operation: impl Fn(&Files) -> BlockingResult<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.block(JobClass::Operation, name, move |shared| {
            shared.files.with_retries(operation)
        })
        .await
    }

    /// Runs a function on a thread that may block.
    pub(crate) async fn block<T: Send + 'static>(
        &self,
        class: JobClass,
        name: &'static str,
        function: impl FnOnce(&Arc<Shared>) -> BlockingResult<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let shared = self.shared.clone();
        let threads = &self.shared.threads;
        threads.run(class, (name, NAME), move || function(&shared)).await
    }

    /// Runs an operation that changes the record under a key, and perhaps moves it to another: notifies the waiters for
    /// its lock, and wakes the watches of the keys. After a failure, too: some become known after the change.
    async fn run_and_wake<T: Send + 'static, const N: usize>(
        &self,
        name: &'static str,
        keys: [SessionKey; N],
        operation: impl Fn(&Files) -> BlockingResult<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.block(JobClass::Operation, name, move |shared| {
            let result = shared.files.with_retries(operation);
            for key in &keys {
                shared.wait_queues.notify(key);
                shared.watchers.wake(key);
            }
            result
        })
        .await
    }

    /// Runs an operation that ends a lock, and notifies the waiters for the lock.
    async fn run_and_notify<T: Send + 'static>(
        &self,
        class: JobClass,
        name: &'static str,
        key: SessionKey,
        operation: impl Fn(&Files) -> BlockingResult<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.block(class, name, move |shared| {
            let result = shared.files.with_retries(operation);
            shared.wait_queues.notify(&key);
            result
        })
        .await
    }
}

/// Watches with the reports of the operating system on the folders of the watched keys, of which it has a limit, such as
/// `fs.inotify.max_user_watches`. The watches beyond it, and those of keys whose folder does not exist yet, are woken
/// once a second.
#[cfg(target_os = "linux")]
impl WatchSessions for FileStorage {
    fn watch(&self, key: &SessionKey) -> Watch {
        self.shared.hints.watch(key)
    }
}

#[async_trait]
impl Storage for FileStorage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn clock(&self) -> &dyn Clock {
        &*self.shared.files.folder.clocks.wall
    }

    fn capabilities(&self) -> Capabilities<'_> {
        #[cfg(target_os = "linux")]
        return Capabilities::none().with_watch(Some(self));
        #[cfg(not(target_os = "linux"))]
        return Capabilities::none();
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let key = *key;
        self.run("read", move |files| files.read(&key)).await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        self.lock_session(*key, wait).await
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        let key = *key;
        self.run_and_wake("create", [key], move |files| files.create(&key, &record))
            .await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let lock_id = lock.id();
        self.run_and_wake("commit", [lock_id.key], move |files| files.commit(&lock_id, &record))
            .await?;
        lock.disarm();
        Ok(())
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        let known = (known.key, known.record.meta.clone());
        self.run_and_wake("replace", [known.0], move |files| {
            files.replace(&known.0, &known.1, &record)
        })
        .await
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let (lock_id, new_key) = (lock.id(), *new_key);
        self.run_and_wake("rotate", [lock_id.key, new_key], move |files| {
            files.rotate(&lock_id, &new_key, &record, grace)
        })
        .await?;
        lock.disarm();
        Ok(())
    }

    async fn release(&self, mut lock: Lock) -> Result<(), StorageError> {
        let lock_id = lock.id();
        self.run_and_notify(JobClass::Release, "release", lock_id.key, move |files| {
            files.folder.release(&lock_id)
        })
        .await?;
        lock.disarm();
        Ok(())
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        let lock_id = *lock;
        self.block(JobClass::Renewal, "renew", move |shared| {
            shared.files.with_retries(|files| files.renew(&lock_id))
        })
        .await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        let key = *key;
        self.run("touch", move |files| files.touch(&key, version, deadline, last_active))
            .await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        let key = *key;
        self.block(JobClass::Operation, "destroy", move |shared| {
            let destroyed = shared.files.with_retries(|files| files.destroy(&key));
            // After a failure, too, as in `run_and_wake`.
            let present = destroyed.as_ref().map_or(key, |(present, _)| *present);
            shared.wait_queues.notify(&present);
            shared.watchers.wake(&present);
            destroyed.map(|(_, was)| was)
        })
        .await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        let foreign = || StorageError::new(StorageErrorKind::Unsupported, "scan", NAME).with_source("a foreign cursor");
        let from = match cursor {
            Some(cursor) => Position::parse(cursor.as_bytes()).ok_or_else(foreign)?,
            None => Position::default(),
        };
        let slice = self.run("scan", move |files| files.scan(&from, limit)).await?;
        Ok(Page::new(
            slice.found,
            slice.next.map(|next| Cursor::from_bytes(next.to_text().into_bytes())),
        ))
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        let mut removed = Vec::new();
        let mut failure = None;
        // Sweep from where the last call stopped to the end of the folder, and then once from the start.
        let mut passes = if self.shared.sweep_begins_at_start() { 1 } else { 2 };
        while removed.len() < limit && passes > 0 {
            let left = limit - removed.len();
            let slice = move |shared: &Arc<Shared>| Ok(shared.sweep_slice(left));
            let report = match self.block(JobClass::Operation, "sweep", slice).await {
                Ok(report) => report,
                // Return the sessions that earlier slices have removed: no other call reports them.
                Err(error) => {
                    failure = failure.or(Some(error));
                    break;
                }
            };
            removed.extend(report.sessions);
            passes -= u8::from(report.next.is_none());
            failure = failure.or_else(|| Some(report.failure?.into_error("sweep", NAME)));
        }
        match failure {
            // An error is returned only if there are no removed sessions to return.
            Some(error) if removed.is_empty() => Err(error),
            _ => Ok(removed),
        }
    }
}

impl fmt::Debug for FileStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStorage")
            .field("folder", &self.shared.files.folder.tree.layout.root())
            .finish_non_exhaustive()
    }
}
