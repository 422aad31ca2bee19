//! Bugs of the functions that do not wait.

use std::time::Duration;

use sessile_core::{
    ImmediateStorage, Lock, LockId, LockToken, Locked, Lookup, OsEntropy, Record, SessionKey, Storage, StorageError,
    StorageErrorKind, Stored, Timestamp,
};
use sessile_testkit::Operation;
use sessile_testkit::model::Attempt;

use super::{Broken, Bug};

const LEASE: Duration = Duration::from_secs(6);

impl Broken {
    fn failed(&self, operation: Operation) -> impl Fn(StorageErrorKind) -> StorageError {
        move |kind| StorageError::new(kind, operation.name(), "model")
    }

    pub(super) fn wrongly_immediate(&self) -> Option<&dyn ImmediateStorage> {
        let offers = [
            Bug::ImmediateQueues,
            Bug::ImmediateFailsWhereItWaits,
            Bug::ImmediateIsOfAnotherMoment,
            Bug::ImmediateReplacesAnything,
            Bug::FullNotImmediate,
        ];
        offers.contains(&self.bug).then_some(self as &dyn ImmediateStorage)
    }

    fn moment(&self, now: Timestamp) -> Timestamp {
        match self.bug {
            Bug::ImmediateIsOfAnotherMoment => now + Duration::from_millis(1),
            _ => now,
        }
    }
}

impl ImmediateStorage for Broken {
    fn read(&self, key: &SessionKey) -> Result<(Lookup<Stored>, Timestamp), StorageError> {
        let read = |state: &mut sessile_testkit::model::ModelState, now| (state.read(key, now), self.moment(now));
        Ok(self.model.step(|_, state, now| read(state, now)))
    }

    fn lock(&self, key: &SessionKey) -> Option<Result<(Lookup<Locked>, Timestamp), StorageError>> {
        let token = LockToken::generate(&OsEntropy);
        let (found, now) = self
            .model
            .step(|_, state, now| (state.lock(key, token, LEASE, now), now));
        let found = match found {
            Lookup::Found(Attempt::Taken(Stored { key, record, .. })) => {
                Lookup::Found(Locked::new(self.lock_of(LockId::new(key, token), LEASE), record))
            }
            Lookup::Found(Attempt::Busy(_)) if self.bug == Bug::ImmediateFailsWhereItWaits => {
                return Some(Err(self.failed(Operation::Lock)(StorageErrorKind::LockTimeout)));
            }
            Lookup::Found(Attempt::Busy(_)) => {
                if self.bug == Bug::ImmediateQueues {
                    let (model, key) = (self.model.clone(), *key);
                    tokio::spawn(async move { model.lock(&key, Duration::MAX).await });
                }
                return None;
            }
            Lookup::Missing => Lookup::Missing,
            Lookup::Superseded => Lookup::Superseded,
        };
        Some(Ok((found, self.moment(now))))
    }

    fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        let created = self.model.step(|_, state, now| state.create(key, record, now));
        created.map_err(self.failed(Operation::Create))
    }

    fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        let lock_id = lock.id();
        let committed = self.model.step(|_, state, now| state.commit(&lock_id, record, now));
        committed.map_err(self.failed(Operation::Commit))?;
        lock.disarm();
        Ok(())
    }

    fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        let mut known = known.clone();
        let replaced = self.model.step(|_, state, now| {
            if let (Bug::ImmediateReplacesAnything, Lookup::Found(now)) = (self.bug, state.read(&known.key, now)) {
                known = now;
            }
            state.replace(&known, record, now)
        });
        replaced.map_err(self.failed(Operation::Replace))
    }

    fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        let destroyed = self.model.step(|_, state, now| state.destroy(key, now));
        Ok(destroyed.map(drop))
    }

    fn release(&self, lock: Lock) -> Result<(), StorageError> {
        drop(lock);
        Ok(())
    }
}
