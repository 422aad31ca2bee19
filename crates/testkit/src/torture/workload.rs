//! The workload of a client: all operations, in random order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sessile_core::{
    Locked, Lookup, Meta, OsEntropy, Record, SessionId, SessionKey, Storage, StorageError, StorageErrorKind,
};
use tokio::time::{sleep, timeout};

use super::Torture;
use super::slots::Slots;
use crate::history::Mark;
use crate::rng::Rng;

/// A client of the storage: one task.
pub(super) struct Client {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) slots: Arc<Slots>,
    pub(super) rng: Rng,
    /// Ids of writes, unique among all processes.
    pub(super) write_ids: Arc<AtomicU64>,
    pub(super) plan: Arc<Torture>,
    /// Sessions that have ended or moved, as far as this client knows. The client returns to them at times, as late
    /// requests do.
    pub(super) ended: VecDeque<SessionId>,
    /// Reports an error of an unexpected kind.
    pub(super) report: Arc<dyn Fn(&StorageError) + Send + Sync>,
}

/// Returns the first id of a write of this process.
pub(super) fn first_write_id(process: u64) -> u64 {
    (process << 32) + 1
}

/// The number of ended sessions that a client remembers.
const MAX_ENDED: u64 = 8;

/// The change of a session that a client observed.
enum SessionChange {
    Lives,
    Ended,
    Moved(SessionId),
}

type Outcome = Result<SessionChange, StorageError>;

impl Client {
    /// Runs until the flag is set.
    pub(super) async fn run(mut self, stop: Arc<AtomicBool>) {
        while !stop.load(Ordering::SeqCst) {
            self.step().await;
        }
    }

    async fn step(&mut self) {
        let slot = self.rng.below(self.plan.sessions);
        let Some(id) = self.slots.get(slot) else {
            return self.create_session(slot).await;
        };
        // One call in twenty is dropped after a short time.
        let patience = match self.rng.below(20) {
            0 => Duration::from_micros(self.rng.below(3_000)),
            _ => Duration::MAX,
        };
        // One call in six uses an ended session.
        let late = self.rng.below(6) == 0;
        let ended = self
            .ended
            .get(usize::try_from(self.rng.below(MAX_ENDED)).unwrap_or_default())
            .cloned();
        let late = ended.filter(|_| late);
        let visited = late.as_ref().unwrap_or(&id);
        let outcome = match timeout(patience, self.act(visited)).await {
            Ok(outcome) => outcome,
            Err(_) => Ok(SessionChange::Lives),
        };
        match outcome {
            Ok(SessionChange::Moved(new)) => {
                self.remember(visited.clone());
                self.slots.set(slot, &new);
            }
            Ok(SessionChange::Ended) if late.is_none() => {
                self.remember(id);
                self.create_session(slot).await;
            }
            Ok(SessionChange::Lives | SessionChange::Ended) => {}
            Err(error) => self.handle_error(&error).await,
        }
    }

    /// Handles an error. If the session has ended or moved, the client observes that with its next call.
    async fn handle_error(&mut self, error: &StorageError) {
        use StorageErrorKind as Kind;
        match error.kind() {
            Kind::Gone | Kind::Superseded | Kind::LockLost | Kind::LockTimeout | Kind::TooManyWaiters => {}
            Kind::Unavailable | Kind::Timeout | Kind::Full => sleep(Duration::from_millis(5)).await,
            _ => (self.report)(error),
        }
    }

    fn remember(&mut self, id: SessionId) {
        self.ended.push_front(id);
        self.ended.truncate(usize::try_from(MAX_ENDED).unwrap_or_default());
    }

    /// Creates a session in a slot. One in four has a short life.
    async fn create_session(&mut self, slot: u64) {
        let id = SessionId::generate(&OsEntropy);
        let now = self.storage.clock().now();
        let life = match self.rng.below(4) {
            0 => Duration::from_millis(200 + self.rng.below(1_300)),
            _ => Duration::from_secs(3_600),
        };
        let meta = Meta::new(now).with_deadline(Some(now + life));
        let record = Record::new(meta, Mark::first(self.next_write_id()).to_payload());
        match self.storage.create(&id.key(), record).await {
            Ok(()) => self.slots.set(slot, &id),
            Err(error) => self.handle_error(&error).await,
        }
    }

    async fn act(&mut self, id: &SessionId) -> Outcome {
        let key = id.key();
        match self.rng.below(1_000) {
            0..270 => self.append(&key).await,
            270..450 => self.replace(&key).await,
            450..650 => self.read(&key).await,
            650..770 => self.touch(&key).await,
            770..815 => self.release(&key).await,
            815..855 => self.drop_lock(&key).await,
            855..925 => self.rotate(id).await,
            925..980 => self.destroy(&key).await,
            980..986 => self.sweep().await,
            // These take as long as a lease, so they are rare.
            986..994 => self.hold_past_lease(id).await,
            _ => self.renew(&key).await,
        }
    }

    async fn read(&mut self, key: &SessionKey) -> Outcome {
        Ok(match self.storage.read(key).await? {
            Lookup::Found(_) => SessionChange::Lives,
            _ => SessionChange::Ended,
        })
    }

    async fn touch(&mut self, key: &SessionKey) -> Outcome {
        // A missing session is touched too, which must have no effect.
        let read = self.storage.read(key).await?.found();
        let version = read.map_or(1, |stored| stored.record.meta.version);
        let now = self.storage.clock().now();
        let later = now + Duration::from_millis(self.rng.below(3_000));
        self.storage.touch(key, version, Some(later), now).await?;
        Ok(SessionChange::Lives)
    }

    async fn append(&mut self, key: &SessionKey) -> Outcome {
        let Some(mut locked) = self.lock(key).await? else {
            return Ok(SessionChange::Ended);
        };
        if self.rng.below(4) == 0 {
            sleep(Duration::from_millis(self.rng.below(3))).await;
        }
        self.commit(&mut locked).await
    }

    /// Writes without a lock in at most two attempts, then with one. Other clients can change the session between read
    /// and replace.
    async fn replace(&mut self, key: &SessionKey) -> Outcome {
        for _ in 0..2 {
            let Lookup::Found(known) = self.storage.read(key).await? else {
                return Ok(SessionChange::Ended);
            };
            if self.rng.below(3) == 0 {
                sleep(Duration::from_millis(self.rng.below(4))).await;
            }
            let Some(record) = self.next(&known.record) else {
                return Ok(SessionChange::Lives);
            };
            if self.storage.replace(&known, record).await? {
                return Ok(SessionChange::Lives);
            }
        }
        self.append(key).await
    }

    async fn renew(&mut self, key: &SessionKey) -> Outcome {
        let Some(mut locked) = self.lock(key).await? else {
            return Ok(SessionChange::Ended);
        };
        sleep(locked.lock.lease() / 2).await;
        self.storage.renew(&locked.lock.id()).await?;
        sleep(locked.lock.lease() * 3 / 4).await;
        self.commit(&mut locked).await
    }

    async fn release(&mut self, key: &SessionKey) -> Outcome {
        if let Some(locked) = self.lock(key).await? {
            self.storage.release(locked.lock).await?;
        }
        Ok(SessionChange::Lives)
    }

    async fn drop_lock(&mut self, key: &SessionKey) -> Outcome {
        drop(self.lock(key).await?);
        Ok(SessionChange::Lives)
    }

    /// Uses a lock after its lease has ended.
    async fn hold_past_lease(&mut self, id: &SessionId) -> Outcome {
        let Some(mut locked) = self.lock(&id.key()).await? else {
            return Ok(SessionChange::Ended);
        };
        sleep(locked.lock.lease() + Duration::from_millis(self.rng.below(100))).await;
        match self.rng.below(3) {
            0 => self.rotate_locked(id, locked).await,
            _ => self.commit(&mut locked).await,
        }
    }

    async fn rotate(&mut self, id: &SessionId) -> Outcome {
        match self.lock(&id.key()).await? {
            Some(locked) => self.rotate_locked(id, locked).await,
            None => Ok(SessionChange::Ended),
        }
    }

    async fn rotate_locked(&mut self, id: &SessionId, mut locked: Locked) -> Outcome {
        let Some(record) = self.next(&locked.record) else {
            return Ok(SessionChange::Lives);
        };
        let grace = match self.rng.below(2) {
            0 if self.plan.aliases => Duration::from_millis(100 + self.rng.below(900)),
            _ => Duration::ZERO,
        };
        let new = id.rotated(&OsEntropy);
        self.storage.rotate(&mut locked.lock, &new.key(), record, grace).await?;
        Ok(SessionChange::Moved(new))
    }

    async fn destroy(&mut self, key: &SessionKey) -> Outcome {
        self.storage.destroy(key).await?;
        Ok(SessionChange::Ended)
    }

    /// Sweeps. Clients have found swept sessions missing before, so the result does not matter.
    async fn sweep(&mut self) -> Outcome {
        match self.storage.sweep(10).await {
            Err(error) if error.kind() != StorageErrorKind::Unsupported => Err(error),
            _ => Ok(SessionChange::Lives),
        }
    }

    async fn lock(&mut self, key: &SessionKey) -> Result<Option<Locked>, StorageError> {
        Ok(self.storage.lock(key, self.plan.wait).await?.found())
    }

    async fn commit(&mut self, locked: &mut Locked) -> Outcome {
        if let Some(record) = self.next(&locked.record) {
            self.storage.commit(&mut locked.lock, record).await?;
        }
        Ok(SessionChange::Lives)
    }

    /// Returns the next write. `None` if the record is torn, which the checker reports.
    fn next(&mut self, record: &Record) -> Option<Record> {
        let mark = Mark::from_payload(&record.payload)?.next(self.next_write_id());
        let mut next = Record::new(record.meta.clone(), mark.to_payload());
        next.meta.version += 1;
        Some(next)
    }

    fn next_write_id(&self) -> u64 {
        self.write_ids.fetch_add(1, Ordering::Relaxed)
    }
}
