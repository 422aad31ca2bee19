//! A storage that takes its time and fails, as a call's luck has it, and writes down what it really did.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, Lock, LockTicket, Locked, Lookup, Page, Record, SessionKey, Storage, StorageError,
    StorageErrorKind, Stored, Timestamp, Unlock,
};
use sessile_memory::MemoryStorage;
use tokio::time::sleep;

use crate::plan::{Plan, ms, secs};
use crate::rng::Rng;
use crate::scheduler::{current_call, step_back};
use crate::truth::Truth;

/// What happens to one call of a verb.
#[derive(Clone, Copy)]
struct Luck {
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
    /// Nothing is done.
    Before,
    /// It is done, but the answer is lost.
    After,
}

/// Memory behind a bad line.
#[derive(Debug)]
pub(crate) struct Line {
    storage: MemoryStorage,
    truth: Arc<Truth>,
    plan: Plan,
    luck: Mutex<HashMap<Option<u32>, Rng>>,
    window: Option<Duration>,
    this: Weak<Self>,
}

impl Line {
    pub(crate) fn new(storage: MemoryStorage, truth: Arc<Truth>, plan: &Plan, window: Option<Duration>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            storage,
            truth,
            plan: plan.clone(),
            luck: Mutex::default(),
            window,
            this: Weak::clone(this),
        })
    }

    /// Each call has its own luck, which does not change when other calls are left out.
    fn luck(&self) -> Luck {
        let call = current_call();
        let calm = call
            .and_then(|number| self.plan.step(number))
            .is_some_and(|step| step.calm);
        let mut luck = self.luck.lock().expect("nobody panics with it");
        let seed = call.map_or(0, u64::from);
        let rng = luck.entry(call).or_insert_with(|| Rng::derived(self.plan.seed, seed));
        let pause = |rng: &mut Rng| Pause {
            steps: rng.below(3),
            time: match rng.below(100) {
                low if low >= self.plan.delays => Duration::ZERO,
                _ if call.is_none() => ms(1 + rng.below(20)),
                _ if rng.percent(75) => ms(1 + rng.below(20)),
                _ => secs(1 + rng.below(12)),
            },
        };
        let drawn = Luck {
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
        match calm {
            true => Luck {
                before: none,
                after: none,
                failure: None,
            },
            false => drawn,
        }
    }

    async fn pause(&self, pause: Pause) {
        for _ in 0..pause.steps {
            step_back().await;
        }
        if !pause.time.is_zero() {
            self.truth.delayed(current_call(), pause.time);
            sleep(pause.time).await;
        }
    }

    /// Makes a call, which `act` carries out: it returns what the storage says, once it is written down what it did.
    async fn call<T>(
        &self,
        verb: &'static str,
        key: &SessionKey,
        act: impl AsyncFnOnce(bool) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let luck = self.luck();
        let name = key.fingerprint();
        self.pause(luck.before).await;
        if luck.failure == Some(Failure::Before) {
            self.truth.say(|| format!("{verb} {name}: fails"));
            self.note_failure(verb, key);
            return Err(StorageError::new(StorageErrorKind::Unavailable, verb, "line"));
        }
        let is_lost = luck.failure == Some(Failure::After);
        let answer = act(is_lost).await;
        let lost = if is_lost { ", but the answer is lost" } else { "" };
        let said = answer.as_ref().map(drop).map_err(StorageError::kind);
        self.truth.say(|| format!("{verb} {name}: {said:?}{lost}"));
        self.pause(luck.after).await;
        match is_lost {
            true => {
                self.note_failure(verb, key);
                Err(StorageError::new(StorageErrorKind::Timeout, verb, "line"))
            }
            false => answer,
        }
    }

    fn note_failure(&self, verb: &str, key: &SessionKey) {
        let mut inner = self.truth.inner();
        let Some(lineage) = inner.lineage_of.get(key).copied() else {
            return;
        };
        let lineage = &mut inner.lineages[lineage];
        lineage.touch_failed |= verb == "touch";
        lineage.destroy_failed |= verb == "destroy";
    }

    /// A call has looked for the session at this key.
    fn look<T>(&self, key: &SessionKey, answer: &Lookup<T>) {
        let mut inner = self.truth.inner();
        inner.meet(current_call(), key);
        let Some(lineage) = inner.lineage_of.get(key).copied() else {
            return;
        };
        match answer {
            Lookup::Found(_) => {
                let found = Some((lineage, self.truth.now()));
                if let Some(call) = current_call().and_then(|number| inner.call(number)) {
                    call.found = found;
                }
            }
            Lookup::Missing => {
                drop(inner);
                self.miss(key, lineage);
            }
            Lookup::Superseded => {}
        }
    }

    /// The session is not there: was it to be?
    fn miss(&self, key: &SessionKey, lineage: usize) {
        let Some(window) = self.window else { return };
        let now = self.truth.now();
        let (active, is_excused) = {
            let lineage = &self.truth.inner().lineages[lineage];
            (lineage.active, lineage.removed.is_some() || lineage.touch_failed)
        };
        // A sliding end may stay where it is until a tenth of the window has passed.
        if now < active + window.mul_f64(0.89) && !is_excused {
            let (name, active) = (key.fingerprint(), active.until(now));
            let what = format!("session {name} has ended {active:?} after it was in use, in a window of {window:?}");
            self.truth.wrong("idled out", what);
        }
    }

    /// A verb that needs the record was refused.
    fn refused(&self, key: &SessionKey, error: &StorageError) {
        let lineage = self.truth.inner().lineage_of.get(key).copied();
        if let (StorageErrorKind::Gone, Some(lineage)) = (error.kind(), lineage) {
            self.miss(key, lineage);
        }
    }

    /// The session at the key was written, under a new key perhaps. Returns the place of what is written down.
    fn wrote(&self, from: Option<&SessionKey>, key: &SessionKey, record: Record) -> usize {
        let now = self.truth.now();
        let mut inner = self.truth.inner();
        inner.write(from, key, record, now);
        inner.writes.len() - 1
    }

    fn take_lock(&self, lock: &Lock) -> Lock {
        let held = self.truth.inner().held.remove(&lock.ticket());
        held.unwrap_or_else(|| {
            let this = self.this.upgrade().expect("it is being used");
            let mut stand_in = Lock::new(lock.ticket(), lock.lease(), this);
            // It was given up before; the storage is to say so.
            stand_in.spend();
            stand_in
        })
    }

    /// What becomes of a lock after it was used: gone if the storage says so, and otherwise still held.
    fn put_back(&self, lock: Lock, is_spent: bool) {
        let ticket = lock.ticket();
        if is_spent {
            drop(lock);
        } else {
            self.truth.inner().held.insert(ticket, lock);
        }
    }

    fn answered(&self, place: Option<usize>) {
        if let Some(place) = place {
            self.truth.inner().writes[place].answered = true;
        }
    }
}

/// Takes back the locks that were handed out.
impl Unlock for Line {
    fn unlock(&self, ticket: LockTicket) {
        let name = ticket.key.fingerprint();
        self.truth.say(|| format!("the lock of {name} is dropped"));
        let lock = self.truth.inner().held.remove(&ticket);
        drop(lock);
    }
}

/// Whether the lock is gone for sure, though the call failed.
fn is_over(error: &StorageError) -> bool {
    use StorageErrorKind::{Gone, LockLost, Superseded};
    matches!(error.kind(), Gone | LockLost | Superseded)
}

#[async_trait]
impl Storage for Line {
    fn name(&self) -> &'static str {
        "line"
    }

    fn clock(&self) -> &dyn Clock {
        &self.truth.clock
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.storage.capabilities()
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        let read = self.call("read", key, async |_| {
            let found = self.storage.read(key).await?;
            self.look(key, &found);
            Ok(found)
        });
        read.await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let lock = self.call("lock", key, async |_| {
            let found = self.storage.lock(key, wait).await?;
            self.look(key, &found);
            Ok(found.map(|Locked { lock, record, .. }| {
                let this = self.this.upgrade().expect("it is being used");
                let handed_out = Lock::new(lock.ticket(), lock.lease(), this);
                self.truth.inner().renewals.insert(lock.ticket(), self.truth.now());
                self.put_back(lock, false);
                Locked::new(handed_out, record)
            }))
        });
        lock.await
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        let mut place = None;
        let create = self.call("create", key, async |_| {
            self.storage.create(key, record.clone()).await?;
            place = Some(self.wrote(None, key, record));
            Ok(())
        });
        create.await?;
        self.answered(place);
        Ok(())
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let key = *lock.key();
        let mut place = None;
        let commit = self.call("commit", &key, async |is_lost| {
            let mut held = self.take_lock(lock);
            let committed = self.storage.commit(&mut held, record.clone()).await;
            self.put_back(held, committed.as_ref().map_or_else(is_over, |()| true));
            committed.inspect_err(|error| self.refused(&key, error))?;
            place = Some(self.wrote(Some(&key), &key, record));
            if !is_lost {
                lock.spend();
            }
            Ok(())
        });
        commit.await?;
        self.answered(place);
        Ok(())
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        let key = known.key;
        let (mut place, mut done) = (None, false);
        let replace = self.call("replace", &key, async |_| {
            let replaced = self.storage.replace(known, record.clone()).await;
            done = replaced.inspect_err(|error| self.refused(&key, error))?;
            if done {
                place = Some(self.wrote(Some(&key), &key, record));
            }
            Ok(())
        });
        replace.await?;
        self.answered(place);
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
        let mut place = None;
        let rotate = self.call("rotate", &key, async |is_lost| {
            let mut held = self.take_lock(lock);
            let moved = self.storage.rotate(&mut held, new_key, record.clone(), grace).await;
            self.put_back(held, moved.as_ref().map_or_else(is_over, |()| true));
            moved.inspect_err(|error| self.refused(&key, error))?;
            place = Some(self.wrote(Some(&key), new_key, record));
            if !is_lost {
                lock.spend();
            }
            Ok(())
        });
        rotate.await?;
        self.answered(place);
        Ok(())
    }

    async fn release(&self, mut lock: Lock) -> Result<(), StorageError> {
        let key = *lock.key();
        let release = self.call("release", &key, async |_| {
            let held = self.take_lock(&lock);
            let released = self.storage.release(held).await;
            lock.spend();
            released
        });
        release.await
    }

    async fn renew(&self, lock: &LockTicket) -> Result<(), StorageError> {
        let renew = self.call("renew", &lock.key, async |_| {
            let renewed = self.storage.renew(lock).await;
            match &renewed {
                Ok(()) => {
                    let window = self.window.unwrap_or_default();
                    self.truth.inner().renewed(lock, self.truth.now(), window);
                }
                Err(error) => self.refused(&lock.key, error),
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
            // It may have come too late.
            touched.inspect_err(|_| self.note_failure("touch", key))
        };
        self.call("touch", key, touch).await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        let destroy = self.call("destroy", key, async |_| {
            let found = self.storage.destroy(key).await?;
            let mut inner = self.truth.inner();
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
