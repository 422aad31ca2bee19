//! [`Recording`]: a storage that writes down what it is asked and what it answers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Clock, Cursor, Lock, LockTicket, Locked, Lookup, Page, Record, SessionKey, Storage, StorageError, StorageErrorKind,
    Stored, Timestamp,
};

use super::line::Line;
use super::time::monotonic;
use super::{Answer, Answered, Call, History, Mark, Operation, Seen, Write};
use crate::locked;

/// Collects what several [`Recording`] storages write down. Clones share it.
///
/// ```
/// use sessile_core::{Meta, OsEntropy, Record, SessionId, Storage};
/// use sessile_testkit::{Mark, ModelStorage, Recorder, Recording};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let recorder = Recorder::new();
/// let model = ModelStorage::new();
/// let one = Recording::new(model.clone(), recorder.clone(), 1);
/// let two = Recording::new(model, recorder.clone(), 2);
///
/// let key = SessionId::generate(&OsEntropy).key();
/// let record = Record::new(Meta::new(one.clock().now()), Mark::first(1).to_payload());
/// one.create(&key, record).await.unwrap();
/// two.read(&key).await.unwrap();
///
/// let summary = recorder.history().check().unwrap();
/// assert_eq!((summary.operations, summary.writes), (2, 1));
/// # }
/// ```
#[derive(Clone)]
pub struct Recorder {
    sink: Arc<dyn Fn(Line) + Send + Sync>,
    numbers: Arc<AtomicU64>,
    lines: Arc<Mutex<Lines>>,
}

/// Lines, put together again to operations.
#[derive(Debug, Default)]
pub(crate) struct Lines(BTreeMap<(u64, u64), Operation>);

impl Lines {
    pub(crate) fn add(&mut self, line: Line) {
        match line {
            Line::Invoked { number, operation } => {
                self.0.insert((operation.process, number), operation);
            }
            Line::Answered {
                process,
                number,
                answered,
            } => {
                if let Some(operation) = self.0.get_mut(&(process, number)) {
                    operation.answered = Some(answered);
                }
            }
        }
    }

    pub(crate) fn history(&self) -> History {
        History {
            operations: self.0.values().cloned().collect(),
        }
    }
}

impl Recorder {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let lines = Arc::new(Mutex::new(Lines::default()));
        let collected = Arc::clone(&lines);
        Self {
            sink: Arc::new(move |line| locked(&collected).add(line)),
            numbers: Arc::default(),
            lines,
        }
    }

    /// One that hands on each line at once, and collects nothing.
    pub(crate) fn to(sink: impl Fn(Line) + Send + Sync + 'static) -> Self {
        Self {
            sink: Arc::new(sink),
            numbers: Arc::default(),
            lines: Arc::default(),
        }
    }

    /// What has been collected so far.
    #[must_use]
    pub fn history(&self) -> History {
        locked(&self.lines).history()
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

/// A storage that records each call before it is made and each answer after it came.
///
/// A call that is dropped, and one that fails in a way that leaves its effect open, is recorded without an answer.
/// Locks that are given back by being dropped, `release`, `renew`, `scan` and `sweep` are not recorded: nothing about
/// the data follows from them.
#[derive(Debug)]
pub struct Recording<S: ?Sized> {
    recorder: Recorder,
    process: u64,
    inner: Arc<S>,
}

impl<S: Storage> Recording<S> {
    /// Records what is done to this storage, in the name of this process.
    pub fn new(inner: S, recorder: Recorder, process: u64) -> Self {
        Self::shared(Arc::new(inner), recorder, process)
    }
}

impl<S: Storage + ?Sized> Recording<S> {
    /// Records what is done through here to a storage that others may use as well.
    pub fn shared(inner: Arc<S>, recorder: Recorder, process: u64) -> Self {
        Self {
            recorder,
            process,
            inner,
        }
    }

    async fn record<T>(
        &self,
        call: Call,
        run: impl Future<Output = Result<T, StorageError>>,
        answer: impl FnOnce(&T) -> Answer,
    ) -> Result<T, StorageError> {
        let number = self.recorder.numbers.fetch_add(1, Ordering::Relaxed);
        let operation = Operation {
            process: self.process,
            call,
            clock_before: self.inner.clock().now(),
            invoked: monotonic(),
            answered: None,
        };
        (self.recorder.sink)(Line::Invoked { number, operation });
        let result = run.await;
        let at = monotonic();
        let clock_after = self.inner.clock().now();
        let answer = match &result {
            Ok(value) => Some(answer(value)),
            Err(error) => refusal(error.kind()),
        };
        if let Some(answer) = answer {
            (self.recorder.sink)(Line::Answered {
                process: self.process,
                number,
                answered: Answered {
                    answer,
                    at,
                    clock_after,
                },
            });
        }
        result
    }
}

/// The answer in an error, if it says that nothing was done.
fn refusal(kind: StorageErrorKind) -> Option<Answer> {
    use StorageErrorKind as Kind;
    match kind {
        Kind::Exists
        | Kind::Gone
        | Kind::Superseded
        | Kind::LockLost
        | Kind::LockTimeout
        | Kind::TooManyWaiters
        | Kind::Full
        | Kind::Unsupported => Some(Answer::Refused(kind)),
        _ => None,
    }
}

fn found<T>(lookup: &Lookup<T>, seen: impl FnOnce(&T) -> Answer) -> Answer {
    match lookup {
        Lookup::Found(found) => seen(found),
        Lookup::Missing => Answer::Missing,
        Lookup::Superseded => Answer::Superseded,
    }
}

fn seen(key: SessionKey, record: &Record) -> Answer {
    Answer::Found(Seen {
        key,
        mark: Mark::from_payload(&record.payload),
        deadline: record.meta.deadline,
    })
}

fn write(record: &Record) -> Write {
    Write {
        mark: Mark::from_payload(&record.payload),
        deadline: record.meta.deadline,
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage + ?Sized> Storage for Recording<S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn clock(&self) -> &dyn Clock {
        self.inner.clock()
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let answer = |lookup: &Lookup<Stored>| found(lookup, |stored| seen(stored.key, &stored.record));
        self.record(Call::Read { key: *key }, self.inner.read(key), answer)
            .await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let answer = |lookup: &Lookup<Locked>| found(lookup, |locked| seen(*locked.lock.key(), &locked.record));
        self.record(Call::Lock { key: *key, wait }, self.inner.lock(key, wait), answer)
            .await
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        let write = write(&record);
        self.record(
            Call::Create { key: *key, write },
            self.inner.create(key, record),
            |()| Answer::Done,
        )
        .await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let (key, write) = (*lock.key(), write(&record));
        self.record(Call::Commit { key, write }, self.inner.commit(lock, record), |()| {
            Answer::Done
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
        let call = Call::Rotate {
            key: *lock.key(),
            to: *new_key,
            write: write(&record),
            grace,
        };
        self.record(call, self.inner.rotate(lock, new_key, record, grace), |()| Answer::Done)
            .await
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        self.inner.release(lock).await
    }

    async fn renew(&self, lock: &LockTicket) -> Result<(), StorageError> {
        self.inner.renew(lock).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<(), StorageError> {
        self.record(
            Call::Touch { key: *key, deadline },
            self.inner.touch(key, deadline, last_active),
            |()| Answer::Done,
        )
        .await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        let answer = |lookup: &Lookup<()>| found(lookup, |()| Answer::Done);
        self.record(Call::Destroy { key: *key }, self.inner.destroy(key), answer)
            .await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        self.inner.scan(cursor, limit).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        self.inner.sweep(limit).await
    }
}
