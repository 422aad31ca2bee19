//! [`HeldRoster`]: a roster that is being changed, under its lock.

use std::time::Duration;

use tokio::time::Instant;

use super::{Roster, RosterName};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::storage::{Facts, Lock, Locked, Lookup, Meta, Record, StorageError, StorageErrorKind};

/// The number of attempts to change a roster against other processes. Each has waited for the lock, so a conflict means
/// that the roster was just created, or that a lease has ended.
pub(in crate::population) const ATTEMPTS: usize = 16;

/// The time for which an empty roster stays. It is not destroyed, as only a commit checks that the lock is still held.
const EMPTY_LIFETIME: Duration = Duration::from_secs(1);

/// A roster under its lock, or one that does not exist yet. Dropping it leaves the stored roster as it was.
pub(in crate::population) struct HeldRoster {
    pub(in crate::population) roster: Roster,
    /// The time at which it was loaded.
    pub(in crate::population) now: Timestamp,
    key: SessionKey,
    facts: Facts,
    stored: Option<StoredRoster>,
}

struct StoredRoster {
    lock: Lock,
    meta: Meta,
    payload: Vec<u8>,
    renewed_at: Instant,
}

/// The result of storing a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(in crate::population) enum Committed {
    Yes,
    /// Another process has made or taken the roster meanwhile, and nothing was stored.
    Conflict,
}

impl HeldRoster {
    /// Takes the lock of a roster and loads it.
    pub(in crate::population) async fn take(settings: &Settings, name: RosterName<'_>) -> Result<Self, SessionError> {
        let storage = &settings.storage;
        let key = name.key();
        let found = storage.lock(&key, settings.lock_wait).await?;
        let now = storage.clock().now();
        let mut held = Self {
            roster: Roster::default(),
            now,
            key,
            facts: name.facts(),
            stored: None,
        };
        if let Lookup::Found(Locked { lock, record }) = found {
            let corrupt = || StorageError::new(StorageErrorKind::Corrupt, "lock", storage.name());
            held.roster = Roster::decode(&record.payload).ok_or_else(corrupt)?;
            held.stored = Some(StoredRoster {
                lock,
                meta: record.meta,
                payload: record.payload.to_vec(),
                renewed_at: Instant::now(),
            });
        }
        Ok(held)
    }

    /// Changes a roster in one step. The closure runs again if another process has made or taken the roster meanwhile.
    pub(in crate::population) async fn change<T>(
        settings: &Settings,
        name: RosterName<'_>,
        change: impl Fn(&mut Self) -> T,
    ) -> Result<T, SessionError> {
        for _ in 0..ATTEMPTS {
            let mut held = Self::take(settings, name).await?;
            let result = change(&mut held);
            if held.commit(settings).await? == Committed::Yes {
                return Ok(result);
            }
        }
        Err(SessionError::LockTimeout)
    }

    /// Returns the roster as it is stored, without its lock.
    pub(in crate::population) async fn peek(settings: &Settings, name: RosterName<'_>) -> Result<Roster, SessionError> {
        let storage = &settings.storage;
        let corrupt = || StorageError::new(StorageErrorKind::Corrupt, "read", storage.name());
        match storage.read(&name.key()).await?.found() {
            Some(stored) => Ok(Roster::decode(&stored.record.payload).ok_or_else(corrupt)?),
            None => Ok(Roster::default()),
        }
    }

    /// Extends the lease, if a good part of it is over: for callers that work through many places.
    ///
    /// # Errors
    ///
    /// [`LockTimeout`](SessionError::LockTimeout) if the lease has ended: the session of the caller, whose lock is
    /// another one, is well.
    pub(in crate::population) async fn keep(&mut self, settings: &Settings) -> Result<(), SessionError> {
        if let Some(stored) = &mut self.stored
            && stored.renewed_at.elapsed() > stored.lock.lease() / 3
        {
            match settings.storage.renew(&stored.lock.id()).await {
                Err(error) if is_conflict(&error) => return Err(SessionError::LockTimeout),
                renewed => renewed?,
            }
            stored.renewed_at = Instant::now();
        }
        Ok(())
    }

    /// Stores the roster, if it was changed, and releases its lock.
    pub(in crate::population) async fn commit(self, settings: &Settings) -> Result<Committed, SessionError> {
        let storage = &settings.storage;
        let payload = self.roster.encode();
        // An empty roster ends soon, without a step of its own; one with places stays until they are gone.
        let deadline = |now| self.roster.places.is_empty().then_some(now + EMPTY_LIFETIME);
        let result = match self.stored {
            None if self.roster.places.is_empty() => return Ok(Committed::Yes),
            Some(stored) if stored.payload == payload => {
                let key = self.key;
                if let Err(error) = storage.release(stored.lock).await {
                    crate::telemetry::release_failed(&key, &error);
                }
                return Ok(Committed::Yes);
            }
            None => {
                let meta = Meta::new(self.now).with_facts(self.facts.clone());
                storage.create(&self.key, Record::new(meta, payload)).await
            }
            Some(mut stored) => {
                let mut meta = stored.meta.with_deadline(deadline(storage.clock().now()));
                meta.version += 1;
                storage.commit(&mut stored.lock, Record::new(meta, payload)).await
            }
        };
        match result {
            Ok(()) => Ok(Committed::Yes),
            Err(error) if is_conflict(&error) => Ok(Committed::Conflict),
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns whether another process has made or taken the roster.
fn is_conflict(error: &StorageError) -> bool {
    use StorageErrorKind::{Exists, Gone, LockLost, Superseded};
    matches!(error.kind(), Exists | Gone | LockLost | Superseded)
}
