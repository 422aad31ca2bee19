//! [`Recording`]: a storage that records calls and their results.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, ImmediateStorage, Lock, LockId, Locked, Lookup, Page, Record, SessionKey, Storage,
    StorageError, StorageErrorKind, Stored, Timestamp,
};

use super::event::Event;
use super::time::monotonic;
use super::{Call, CallResult, Completion, Mark, RecordedCall, Recorder, Seen, Write};

/// A storage that records each call before it is made and its result after it completed.
///
/// A call that is dropped, or whose error leaves the effect unknown, is recorded without a result. `release`, `renew`,
/// `scan`, `sweep` and releases of dropped locks are not recorded, because nothing about the data follows from them.
#[derive(Debug)]
pub struct Recording<S: ?Sized> {
    recorder: Recorder,
    process: u64,
    inner: Arc<S>,
}

impl<S: Storage> Recording<S> {
    /// Wraps a storage, and records calls as those of this process.
    pub fn new(inner: S, recorder: Recorder, process: u64) -> Self {
        Self::shared(Arc::new(inner), recorder, process)
    }
}

impl<S: Storage + ?Sized> Recording<S> {
    /// Wraps a shared storage.
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
        describe: impl FnOnce(&T) -> CallResult,
    ) -> Result<T, StorageError> {
        let number = self.recorder.number();
        let recorded = RecordedCall {
            process: self.process,
            call,
            clock_before: self.inner.clock().now(),
            invoked: monotonic(),
            completion: None,
        };
        self.recorder.write(Event::Invoked { number, recorded });
        let result = run.await;
        let at = monotonic();
        let clock_after = self.inner.clock().now();
        let call_result = match &result {
            Ok(value) => Some(describe(value)),
            Err(error) => refusal(error.kind()),
        };
        if let Some(result) = call_result {
            self.recorder.write(Event::Completed {
                process: self.process,
                number,
                completion: Completion {
                    result,
                    at,
                    clock_after,
                },
            });
        }
        result
    }
}

/// Returns the result for an error that proves that the call did nothing.
fn refusal(kind: StorageErrorKind) -> Option<CallResult> {
    use StorageErrorKind as Kind;
    match kind {
        Kind::Exists
        | Kind::Gone
        | Kind::Superseded
        | Kind::LockLost
        | Kind::LockTimeout
        | Kind::TooManyWaiters
        | Kind::Full
        | Kind::Unsupported => Some(CallResult::Refused(kind)),
        _ => None,
    }
}

fn found<T>(lookup: &Lookup<T>, seen: impl FnOnce(&T) -> CallResult) -> CallResult {
    match lookup {
        Lookup::Found(found) => seen(found),
        Lookup::Missing => CallResult::Missing,
        Lookup::Superseded => CallResult::Superseded,
    }
}

fn seen(key: SessionKey, record: &Record) -> CallResult {
    CallResult::Found(Seen {
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

    fn capabilities(&self) -> Capabilities<'_> {
        self.inner.capabilities()
    }

    /// Returns `None`: every call must pass through the futures, which record it.
    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        None
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let describe = |lookup: &Lookup<Stored>| found(lookup, |stored| seen(stored.key, &stored.record));
        self.record(Call::Read { key: *key }, self.inner.read(key), describe)
            .await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let describe = |lookup: &Lookup<Locked>| found(lookup, |locked| seen(*locked.lock.key(), &locked.record));
        self.record(Call::Lock { key: *key, wait }, self.inner.lock(key, wait), describe)
            .await
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        let write = write(&record);
        self.record(
            Call::Create { key: *key, write },
            self.inner.create(key, record),
            |()| CallResult::Done,
        )
        .await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let (key, write) = (*lock.key(), write(&record));
        self.record(Call::Commit { key, write }, self.inner.commit(lock, record), |()| {
            CallResult::Done
        })
        .await
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        let call = Call::Replace {
            key: known.key,
            write: write(&record),
        };
        self.record(call, self.inner.replace(known, record), |done| match done {
            true => CallResult::Done,
            false => CallResult::Declined,
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
        self.record(call, self.inner.rotate(lock, new_key, record, grace), |()| {
            CallResult::Done
        })
        .await
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        self.inner.release(lock).await
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        self.inner.renew(lock).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        self.record(
            Call::Touch { key: *key, deadline },
            self.inner.touch(key, version, deadline, last_active),
            |_| CallResult::Done,
        )
        .await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        let describe = |lookup: &Lookup<()>| found(lookup, |()| CallResult::Done);
        self.record(Call::Destroy { key: *key }, self.inner.destroy(key), describe)
            .await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        self.inner.scan(cursor, limit).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        self.inner.sweep(limit).await
    }

    async fn drain(&self, patience: Duration) {
        self.inner.drain(patience).await;
    }
}
