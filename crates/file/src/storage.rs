//! [`FileStorage`]: the verbs of the contract, on top of the blocking half.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, Lock, LockTicket, LockToken, Locked, Lookup, Page, Record, SessionKey, Storage,
    StorageError, StorageErrorKind, Stored, Timestamp,
};

use crate::builder::FileStorageBuilder;
use crate::failure::{NAME, Result as StepResult};
use crate::files::scan::Position;
use crate::files::{Files, Try};
use crate::shared::Shared;
use crate::threads::{Duty, Threads};
use crate::wait_queues::{Asked, deadline_after};

/// Sessions in a folder, one file each.
///
/// Any number of processes can share the folder, and a process can open it more than once. See the
/// [crate](crate) for what it promises. Cloning is cheap; all clones are the same storage.
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
    shared: Arc<Shared>,
}

impl FileStorage {
    /// Opens a folder, which is made if it is not there, with everything as it is by default.
    ///
    /// It tidies up after processes that died, which takes a few milliseconds and blocks. Call it when the server
    /// starts.
    ///
    /// # Errors
    ///
    /// [`Denied`](StorageErrorKind::Denied) or [`Full`](StorageErrorKind::Full) when the folder cannot be written to,
    /// [`Unsupported`](StorageErrorKind::Unsupported) when it holds something else, is of a later version, or is on a
    /// file system without file locks.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StorageError> {
        Self::builder(folder).open()
    }

    /// For a storage that is not as it is by default.
    pub fn builder(folder: impl AsRef<Path>) -> FileStorageBuilder {
        FileStorageBuilder::new(folder.as_ref())
    }

    pub(crate) fn new(
        files: Files,
        threads: Threads,
        max_waiters: usize,
        sweep_every: Option<Duration>,
    ) -> Result<Self, StorageError> {
        let shared = Shared::new(files, threads, max_waiters, sweep_every)?;
        Ok(Self { shared })
    }

    /// About how many files of sessions that are over have not been removed, as far as the sweeper of this storage can
    /// tell: what it has just found in a part of the folder, taken for the whole.
    ///
    /// It rises and falls with what ends. One that rises without end says that sessions end faster than this disk
    /// removes their files; with the feature `tracing` there is a warning as well. Zero if the storage has no
    /// [sweeper](FileStorageBuilder::sweep_every).
    #[must_use]
    pub fn sweep_backlog(&self) -> u64 {
        self.shared.sweeper.backlog()
    }

    async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        step: impl Fn(&Files) -> StepResult<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.block(Duty::Step, operation, move |shared| shared.files.take_step(step))
            .await
    }

    /// Runs something on a thread that may block.
    async fn block<T: Send + 'static>(
        &self,
        duty: Duty,
        operation: &'static str,
        step: impl FnOnce(&Arc<Shared>) -> StepResult<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let shared = self.shared.clone();
        let threads = &self.shared.threads;
        threads.run(duty, (operation, NAME), move || step(&shared)).await
    }

    /// Where the session of a key is to be locked, if not under this key.
    async fn look(&self, key: SessionKey) -> Result<Option<Answer>, StorageError> {
        Ok(match self.run("lock", move |files| files.whereabouts(&key)).await? {
            Lookup::Found(at) if at == key => None,
            Lookup::Found(at) => Some(Answer::Elsewhere(at)),
            Lookup::Superseded => Some(Answer::Final(Lookup::Superseded)),
            Lookup::Missing => Some(Answer::Final(Lookup::Missing)),
        })
    }

    /// Asks for the lock once.
    async fn try_lock(&self, key: SessionKey) -> Result<Asked<Answer>, StorageError> {
        self.block(Duty::Step, "lock", move |shared| {
            let token = LockToken::generate(&*shared.files.folder.entropy);
            let answer = match shared.files.take_step(|files| files.try_lock(&key, token))? {
                Try::Held(holding) => return Ok(Asked::Held(holding)),
                // Made here, so that it is given up even if nobody waits for it any more.
                Try::Taken(record) => {
                    let ticket = LockTicket::new(key, token);
                    let lock = Lock::new(ticket, shared.files.folder.lease, shared.clone());
                    Answer::Final(Lookup::Found(Locked::new(lock, record)))
                }
                Try::Elsewhere(to) => Answer::Elsewhere(to),
                Try::Superseded => Answer::Final(Lookup::Superseded),
                Try::Missing => Answer::Final(Lookup::Missing),
            };
            Ok(Asked::Answer(answer))
        })
        .await
    }

    /// A step that ends a lock.
    async fn run_and_wake<T: Send + 'static>(
        &self,
        duty: Duty,
        operation: &'static str,
        key: SessionKey,
        step: impl Fn(&Files) -> StepResult<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.block(duty, operation, move |shared| {
            let taken = shared.files.take_step(step);
            shared.waiters.wake(&key);
            taken
        })
        .await
    }
}

/// What a question for a lock leads to.
enum Answer {
    Final(Lookup<Locked>),
    Elsewhere(SessionKey),
}

#[async_trait]
impl Storage for FileStorage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn clock(&self) -> &dyn Clock {
        &*self.shared.files.folder.clock
    }

    fn capabilities(&self) -> Capabilities<'_> {
        Capabilities::none()
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let key = *key;
        self.run("read", move |files| files.read(&key)).await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let deadline = deadline_after(wait);
        let asked_for = *key;
        let mut key = asked_for;
        loop {
            let look = || self.look(key);
            let ask = || self.try_lock(key);
            let asked = self
                .shared
                .waiters
                .ask(key, deadline, self.shared.max_waiters, look, ask)
                .await;
            match asked {
                Ok(Answer::Final(Lookup::Missing)) if key != asked_for => return Ok(Lookup::Superseded),
                Ok(Answer::Final(answer)) => return Ok(answer),
                // From the first key on, so that no more aliases are followed than anybody may.
                Ok(Answer::Elsewhere(_)) => match self.look(asked_for).await? {
                    None => key = asked_for,
                    Some(Answer::Elsewhere(at)) => key = at,
                    Some(Answer::Final(answer)) => return Ok(answer),
                },
                Err(no_answer) => return Err(no_answer.into_error("lock", NAME)),
            }
        }
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        let key = *key;
        self.run("create", move |files| files.create(&key, &record)).await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let ticket = lock.ticket();
        self.run_and_wake(Duty::Step, "commit", ticket.key, move |files| {
            files.commit(&ticket, &record)
        })
        .await?;
        lock.spend();
        Ok(())
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        let known = (known.key, known.record.meta.clone());
        self.run("replace", move |files| files.replace(&known.0, &known.1, &record))
            .await
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let (ticket, new_key) = (lock.ticket(), *new_key);
        self.run_and_wake(Duty::Step, "rotate", ticket.key, move |files| {
            files.rotate(&ticket, &new_key, &record, grace)
        })
        .await?;
        lock.spend();
        Ok(())
    }

    async fn release(&self, mut lock: Lock) -> Result<(), StorageError> {
        let ticket = lock.ticket();
        self.run_and_wake(Duty::GiveUp, "release", ticket.key, move |files| {
            files.folder.release(&ticket)
        })
        .await?;
        lock.spend();
        Ok(())
    }

    async fn renew(&self, lock: &LockTicket) -> Result<(), StorageError> {
        let ticket = *lock;
        self.block(Duty::Keep, "renew", move |shared| {
            shared.files.take_step(|files| files.renew(&ticket))
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
        self.block(Duty::Step, "destroy", move |shared| {
            let (key, was) = shared.files.take_step(|files| files.destroy(&key))?;
            shared.waiters.wake(&key);
            Ok(was)
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
        let mut trouble = None;
        // From where the last one stopped to the end, and then from the beginning.
        let mut rounds = if self.shared.next_sweep_is_a_whole_one() { 1 } else { 2 };
        while removed.len() < limit && rounds > 0 {
            let left = limit - removed.len();
            let slice = move |shared: &Arc<Shared>| Ok(shared.sweep_slice(left));
            let swept = match self.block(Duty::Step, "sweep", slice).await {
                Ok(swept) => swept,
                // Sessions that were removed before are told of nowhere but here.
                Err(error) => {
                    trouble = trouble.or(Some(error));
                    break;
                }
            };
            removed.extend(swept.sessions);
            rounds -= u8::from(swept.next.is_none());
            trouble = trouble.or_else(|| Some(swept.trouble?.into_error("sweep", NAME)));
        }
        match trouble {
            // Trouble is told when there is nothing else to tell.
            Some(error) if removed.is_empty() => Err(error),
            _ => Ok(removed),
        }
    }
}

impl fmt::Debug for FileStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStorage")
            .field("folder", &self.shared.files.folder.layout.root())
            .finish_non_exhaustive()
    }
}
