//! A storage that delays and fails calls as the plan says, and records what it really did.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, Lock, LockId, Locked, Lookup, Page, Record, SessionKey, Storage, StorageError,
    StorageErrorKind, Stored, Timestamp, Unlock,
};
use sessile_memory::MemoryStorage;
use tokio::time::sleep;

use crate::plan::{Plan, ms, secs};
use crate::recorder::Recorder;
use crate::rng::Rng;
use crate::scheduler::{current_call, yield_once};

/// The delays and the failure of one call of an operation.
#[derive(Clone, Copy)]
struct Disturbance {
    before: Pause,
    after: Pause,
    failure: Option<Failure>,
}

#[derive(Clone, Copy)]
struct Pause {
    steps: u64,
    time: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// The operation is not executed.
    Before,
    /// The operation is executed, but the reply is lost.
    After,
}

/// A storage in memory behind an unreliable connection.
#[derive(Debug)]
pub(crate) struct UnreliableStorage {
    storage: MemoryStorage,
    recorder: Arc<Recorder>,
    plan: Plan,
    generators: Mutex<HashMap<Option<u32>, Rng>>,
    window: Option<Duration>,
    this: Weak<Self>,
}

impl UnreliableStorage {
    pub(crate) fn new(
        storage: MemoryStorage,
        recorder: Arc<Recorder>,
        plan: &Plan,
        window: Option<Duration>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            storage,
            recorder,
            plan: plan.clone(),
            generators: Mutex::default(),
            window,
            this: Weak::clone(this),
        })
    }

    /// Draws the disturbance of a call. It does not depend on the other calls, so it stays the same when they are
    /// removed.
    fn draw(&self) -> Disturbance {
        let call = current_call();
        let undisturbed = call
            .and_then(|number| self.plan.step(number))
            .is_some_and(|step| step.undisturbed);
        let mut generators = self.generators.lock().expect("the mutex is never poisoned");
        let seed = call.map_or(0, u64::from);
        let rng = generators
            .entry(call)
            .or_insert_with(|| Rng::derived(self.plan.seed, seed));
        let pause = |rng: &mut Rng| Pause {
            steps: rng.below(3),
            time: match rng.below(100) {
                low if low >= self.plan.delays => Duration::ZERO,
                _ if call.is_none() => ms(1 + rng.below(20)),
                _ if rng.percent(75) => ms(1 + rng.below(20)),
                _ => secs(1 + rng.below(12)),
            },
        };
        let drawn = Disturbance {
            before: pause(rng),
            after: pause(rng),
            failure: match rng.below(100) {
                low if low >= self.plan.failures => None,
                low if low % 2 == 0 => Some(Failure::Before),
                _ => Some(Failure::After),
            },
        };
        let none = Pause {
            steps: 0,
            time: Duration::ZERO,
        };
        match undisturbed {
            true => Disturbance {
                before: none,
                after: none,
                failure: None,
            },
            false => drawn,
        }
    }

    async fn pause(&self, pause: Pause) {
        for _ in 0..pause.steps {
            yield_once().await;
        }
        if !pause.time.is_zero() {
            self.recorder.add_delay(current_call(), pause.time);
            sleep(pause.time).await;
        }
    }

    /// Calls an operation, which `act` executes. `act` returns the result of the storage after it has recorded the
    /// effect.
    async fn call<T>(
        &self,
        operation: &'static str,
        key: &SessionKey,
        act: impl AsyncFnOnce(bool) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let disturbance = self.draw();
        let name = key.fingerprint();
        self.pause(disturbance.before).await;
        if disturbance.failure == Some(Failure::Before) {
            self.recorder.trace(|| format!("{operation} {name}: fails"));
            self.note_failure(operation, key);
            return Err(StorageError::new(
                StorageErrorKind::Unavailable,
                operation,
                "unreliable",
            ));
        }
        let is_lost = disturbance.failure == Some(Failure::After);
        let reply = act(is_lost).await;
        let lost = if is_lost { ", but the reply is lost" } else { "" };
        let said = reply.as_ref().map(drop).map_err(StorageError::kind);
        self.recorder.trace(|| format!("{operation} {name}: {said:?}{lost}"));
        self.pause(disturbance.after).await;
        match is_lost {
            true => {
                self.note_failure(operation, key);
                Err(StorageError::new(StorageErrorKind::Timeout, operation, "unreliable"))
            }
            false => reply,
        }
    }

    fn note_failure(&self, operation: &str, key: &SessionKey) {
        let mut inner = self.recorder.inner();
        let Some(lineage) = inner.lineage_of.get(key).copied() else {
            return;
        };
        let lineage = &mut inner.lineages[lineage];
        lineage.touch_failed |= operation == "touch";
        lineage.destroy_failed |= operation == "destroy";
    }

    /// Records that a call has looked up the session of this key.
    fn record_lookup<T>(&self, key: &SessionKey, reply: &Lookup<T>) {
        let mut inner = self.recorder.inner();
        inner.meet(current_call(), key);
        let Some(lineage) = inner.lineage_of.get(key).copied() else {
            return;
        };
        match reply {
            Lookup::Found(_) => {
                let found = Some((lineage, self.recorder.now()));
                if let Some(call) = current_call().and_then(|number| inner.call(number)) {
                    call.found = found;
                }
            }
            Lookup::Missing => {
                drop(inner);
                self.check_missing(key, lineage);
            }
            Lookup::Superseded => {}
        }
    }

    /// Checks that a session which was not found had to be missing.
    fn check_missing(&self, key: &SessionKey, lineage: usize) {
        let Some(window) = self.window else { return };
        let now = self.recorder.now();
        let (active, is_excused) = {
            let lineage = &self.recorder.inner().lineages[lineage];
            (lineage.active, lineage.removed.is_some() || lineage.touch_failed)
        };
        // A sliding deadline may stay unchanged until a tenth of the window has passed.
        if now < active + window.mul_f64(0.89) && !is_excused {
            let (name, active) = (key.fingerprint(), active.until(now));
            let what = format!("session {name} has ended {active:?} after it was used, in a window of {window:?}");
            self.recorder.violation("idled out", what);
        }
    }

    /// Records that an operation which needs the record was refused.
    fn record_refusal(&self, key: &SessionKey, error: &StorageError) {
        let lineage = self.recorder.inner().lineage_of.get(key).copied();
        if let (StorageErrorKind::Gone, Some(lineage)) = (error.kind(), lineage) {
            self.check_missing(key, lineage);
        }
    }

    /// Records that the session of the key was written, possibly under a new key. Returns the index of the entry.
    fn record_write(&self, from: Option<&SessionKey>, key: &SessionKey, record: Record) -> usize {
        let now = self.recorder.now();
        let mut inner = self.recorder.inner();
        inner.record_write(from, key, record, now);
        inner.writes.len() - 1
    }

    fn take_lock(&self, lock: &Lock) -> Lock {
        let held = self.recorder.inner().held.remove(&lock.id());
        held.unwrap_or_else(|| {
            let this = self.this.upgrade().expect("the storage is alive");
            let mut placeholder = Lock::new(lock.id(), lock.lease(), this);
            // The lock was released before; the storage must report that.
            placeholder.disarm();
            placeholder
        })
    }

    /// Keeps a used lock, unless the storage reports that it has ended.
    fn keep_lock(&self, lock: Lock, is_disarmed: bool) {
        let lock_id = lock.id();
        if is_disarmed {
            drop(lock);
        } else {
            self.recorder.inner().held.insert(lock_id, lock);
        }
    }

    fn mark_replied(&self, index: Option<usize>) {
        if let Some(index) = index {
            self.recorder.inner().writes[index].replied = true;
        }
    }
}

/// Returns dropped locks to the inner storage.
impl Unlock for UnreliableStorage {
    fn unlock(&self, lock_id: LockId) {
        let name = lock_id.key.fingerprint();
        self.recorder.trace(|| format!("the lock of {name} is dropped"));
        let lock = self.recorder.inner().held.remove(&lock_id);
        drop(lock);
    }
}

/// Returns whether the lock has ended although the call failed.
fn has_ended(error: &StorageError) -> bool {
    use StorageErrorKind::{Gone, LockLost, Superseded};
    matches!(error.kind(), Gone | LockLost | Superseded)
}

#[async_trait]
impl Storage for UnreliableStorage {
    fn name(&self) -> &'static str {
        "unreliable"
    }

    fn clock(&self) -> &dyn Clock {
        &self.recorder.clock
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.storage.capabilities()
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let read = self.call("read", key, async |_| {
            let found = self.storage.read(key).await?;
            self.record_lookup(key, &found);
            Ok(found)
        });
        read.await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let lock = self.call("lock", key, async |_| {
            let found = self.storage.lock(key, wait).await?;
            self.record_lookup(key, &found);
            Ok(found.map(|Locked { lock, record, .. }| {
                let this = self.this.upgrade().expect("the storage is alive");
                let handed_out = Lock::new(lock.id(), lock.lease(), this);
                self.recorder.inner().renewals.insert(lock.id(), self.recorder.now());
                self.keep_lock(lock, false);
                Locked::new(handed_out, record)
            }))
        });
        lock.await
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        let mut index = None;
        let create = self.call("create", key, async |_| {
            self.storage.create(key, record.clone()).await?;
            index = Some(self.record_write(None, key, record));
            Ok(())
        });
        create.await?;
        self.mark_replied(index);
        Ok(())
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let key = *lock.key();
        let mut index = None;
        let commit = self.call("commit", &key, async |is_lost| {
            let mut held = self.take_lock(lock);
            let committed = self.storage.commit(&mut held, record.clone()).await;
            self.keep_lock(held, committed.as_ref().map_or_else(has_ended, |()| true));
            committed.inspect_err(|error| self.record_refusal(&key, error))?;
            index = Some(self.record_write(Some(&key), &key, record));
            if !is_lost {
                lock.disarm();
            }
            Ok(())
        });
        commit.await?;
        self.mark_replied(index);
        Ok(())
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        let key = known.key;
        let (mut index, mut done) = (None, false);
        let replace = self.call("replace", &key, async |_| {
            let replaced = self.storage.replace(known, record.clone()).await;
            done = replaced.inspect_err(|error| self.record_refusal(&key, error))?;
            if done {
                index = Some(self.record_write(Some(&key), &key, record));
            }
            Ok(())
        });
        replace.await?;
        self.mark_replied(index);
        Ok(done)
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let key = *lock.key();
        let mut index = None;
        let rotate = self.call("rotate", &key, async |is_lost| {
            let mut held = self.take_lock(lock);
            let moved = self.storage.rotate(&mut held, new_key, record.clone(), grace).await;
            self.keep_lock(held, moved.as_ref().map_or_else(has_ended, |()| true));
            moved.inspect_err(|error| self.record_refusal(&key, error))?;
            index = Some(self.record_write(Some(&key), new_key, record));
            if !is_lost {
                lock.disarm();
            }
            Ok(())
        });
        rotate.await?;
        self.mark_replied(index);
        Ok(())
    }

    async fn release(&self, mut lock: Lock) -> Result<(), StorageError> {
        let key = *lock.key();
        let release = self.call("release", &key, async |_| {
            let held = self.take_lock(&lock);
            let released = self.storage.release(held).await;
            lock.disarm();
            released
        });
        release.await
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        let renew = self.call("renew", &lock.key, async |_| {
            let renewed = self.storage.renew(lock).await;
            match &renewed {
                Ok(()) => {
                    let window = self.window.unwrap_or_default();
                    self.recorder.inner().record_renewal(lock, self.recorder.now(), window);
                }
                Err(error) => self.record_refusal(&lock.key, error),
            }
            renewed
        });
        renew.await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        let touch = async |_| {
            let touched = self.storage.touch(key, version, deadline, last_active).await;
            // The touch may have come too late.
            touched.inspect_err(|_| self.note_failure("touch", key))
        };
        self.call("touch", key, touch).await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        let destroy = self.call("destroy", key, async |_| {
            let found = self.storage.destroy(key).await?;
            let mut inner = self.recorder.inner();
            inner.meet(current_call(), key);
            let lineage = inner.lineage_of.get(key).copied();
            let mut gone = Vec::new();
            if let (Some(lineage), false) = (lineage, found == Lookup::Superseded) {
                let moment = inner.next();
                if found.is_found() {
                    inner.lineages[lineage].removed = Some((moment, current_call()));
                }
                gone = inner.drop_locks_of(lineage);
            }
            drop(inner);
            drop(gone);
            Ok(found)
        });
        destroy.await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        self.storage.scan(cursor, limit).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        self.storage.sweep(limit).await
    }
}
