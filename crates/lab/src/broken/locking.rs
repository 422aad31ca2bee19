//! Bugs of taking a lock and of writing under it that take time to show.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sessile_core::{
    Lock, LockId, LockToken, Locked, Lookup, OsEntropy, Record, SessionKey, Storage, StorageError, StorageErrorKind,
    Stored,
};
use sessile_testkit::model::{Attempt, Holder};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::{Broken, Bug};

const YEAR: Duration = Duration::from_secs(366 * 86_400);

impl Broken {
    pub(super) async fn wrongly_lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        let start = Instant::now();
        let late = |kind| Err(StorageError::new(kind, "lock", self.name()));
        match self.bug {
            Bug::LockReturnsStaleRecord => {
                let read = self.model.read(key).await?;
                let result = self.model.lock(key, wait).await?;
                Ok(result.map(|mut locked| {
                    if let Lookup::Found(stored) = read {
                        locked.record = stored.record;
                    }
                    locked
                }))
            }
            Bug::LockReturnsEmpty => {
                let result = self.model.lock(key, wait).await?;
                Ok(result.map(|mut locked| {
                    locked.record.payload.clear();
                    locked
                }))
            }
            Bug::LockRepeatsToken => {
                let result = self.model.lock(key, wait).await?;
                Ok(result.map(|locked| self.with_token(locked, LockToken::from_bytes([7; 16]))))
            }
            Bug::LockStaysWhenDropped => {
                let result = self.model.lock(key, wait).await?;
                let Lookup::Found(mut locked) = result else {
                    return Ok(result);
                };
                locked.lock.disarm();
                yield_now().await;
                let token = locked.lock.id().token;
                Ok(Lookup::Found(self.with_token(locked, token)))
            }
            Bug::LockSkipsQueue => {
                let token = LockToken::generate(&OsEntropy);
                let lease = Duration::from_secs(30);
                match self.model.step(|_, state, now| state.lock(key, token, lease, now)) {
                    Lookup::Found(Attempt::Taken(Stored { key, record, .. })) => {
                        let lock = self.lock_of(LockId::new(key, token), lease);
                        Ok(Lookup::Found(Locked::new(lock, record)))
                    }
                    _ => self.model.lock(key, wait).await,
                }
            }
            Bug::LockBoundIsShared => {
                if self.waiting.load(Ordering::SeqCst) >= 8 {
                    return late(StorageErrorKind::TooManyWaiters);
                }
                self.waiting.fetch_add(1, Ordering::SeqCst);
                let result = self.model.lock(key, wait).await;
                self.waiting.fetch_sub(1, Ordering::SeqCst);
                result
            }
            Bug::AliasIsForgotten => match self.model.step(|_, state, now| state.find(key, now)) {
                Lookup::Found(actual) => self.model.lock(&actual, wait).await,
                Lookup::Missing | Lookup::Superseded => self.model.lock(key, wait).await,
            },
            Bug::LockOverstays => self.model.lock(key, Duration::MAX).await,
            Bug::LockGivesUpEarly => self.model.lock(key, wait / 2).await,
            Bug::LockOverflows => {
                self.model
                    .lock(key, if wait > YEAR { Duration::ZERO } else { wait })
                    .await
            }
            Bug::LockMissesTheEnd | Bug::LockMissesTheMove => {
                let result = self.model.lock(key, wait).await?;
                let missed = match &result {
                    Lookup::Missing => self.bug == Bug::LockMissesTheEnd,
                    Lookup::Superseded => self.bug == Bug::LockMissesTheMove,
                    // The session has another key by then.
                    Lookup::Found(locked) => self.bug == Bug::LockMissesTheMove && locked.lock.key() != key,
                };
                if missed && start.elapsed() > Duration::ZERO {
                    drop(result);
                    sleep(wait.saturating_sub(start.elapsed())).await;
                    return late(StorageErrorKind::LockTimeout);
                }
                Ok(result)
            }
            Bug::LockPollsSlowly => loop {
                match self.model.lock(key, Duration::ZERO).await {
                    Err(error) if error.kind() == StorageErrorKind::LockTimeout => {
                        let left = wait.saturating_sub(start.elapsed());
                        if left.is_zero() {
                            return Err(error);
                        }
                        sleep(left.min(Duration::from_secs(30))).await;
                    }
                    result => return result,
                }
            },
            _ => self.model.lock(key, wait).await,
        }
    }

    /// Replaces the token of a lock.
    fn with_token(&self, mut locked: Locked, token: LockToken) -> Locked {
        let key = *locked.lock.key();
        locked.lock.disarm();
        self.model.step(|_, state, _| {
            state.locks.entry(key).and_modify(|holder| {
                let until = holder.until;
                *holder = Holder { token, until };
            });
        });
        locked.lock = self.lock_of(LockId::new(key, token), locked.lock.lease());
        locked
    }

    pub(super) async fn wrongly_commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let lock_id = lock.id();
        let held = self.model.step(|_, state, now| state.require_lock(&lock_id, now));
        match self.bug {
            Bug::CommitDoesNotDisarm => {
                let mut unseen = self.lock_of(lock_id, lock.lease());
                let committed = self.model.commit(&mut unseen, record).await;
                unseen.disarm();
                committed
            }
            Bug::CommitDisarmsOnFailure => {
                let committed = self.model.commit(lock, record).await;
                lock.disarm();
                committed
            }
            Bug::CommitInTwoSteps if held.is_ok() => {
                sleep(Duration::from_millis(1)).await;
                self.model.step(|_, state, _| state.put(&lock_id.key, record));
                lock.disarm();
                Ok(())
            }
            Bug::CommitTorn if held.is_ok() => {
                self.model.step(|_, state, _| {
                    state.records.entry(lock_id.key).and_modify(|old| {
                        let half = record.payload.len() / 2;
                        old.payload = [&record.payload[..half], &old.payload[half.min(old.payload.len())..]]
                            .concat()
                            .into();
                    });
                });
                sleep(Duration::from_millis(1)).await;
                self.model.commit(lock, record).await
            }
            Bug::CommitComesLater if held.is_ok() => {
                self.model.step(|_, state, _| state.locks.remove(&lock_id.key));
                let model = self.model.clone();
                let write = tokio::spawn(async move {
                    sleep(Duration::from_millis(1)).await;
                    model.step(|_, state, _| state.put(&lock_id.key, record));
                });
                let done = write.await;
                lock.disarm();
                done.map_err(|error| {
                    StorageError::new(StorageErrorKind::Other, "commit", self.name()).with_source(error)
                })
            }
            _ => self.model.commit(lock, record).await,
        }
    }
}
