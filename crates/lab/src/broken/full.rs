//! Bugs of full storages.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sessile_core::{Lock, Record, SessionKey, Storage, StorageError, StorageErrorKind, Stored};
use sessile_testkit::Operation;
use sessile_testkit::model::ModelState;

use super::{Broken, Bug};

/// The limit of all payloads, in bytes.
const LIMIT: usize = 4 * 1_024 * 1_024;

impl Broken {
    /// Returns whether the record fits in the place of the current one.
    fn fits(&self, key: &SessionKey, record: &Record) -> bool {
        if !self.bug.has_limit() {
            return true;
        }
        let others = |state: &ModelState| -> usize {
            let others = state.records.iter().filter(|(other, _)| *other != key);
            others.map(|(_, record)| record.payload.len()).sum()
        };
        let taken = self.model.step(|_, state, _| others(state));
        let taken = match self.bug {
            Bug::FullForGood => self.taken.fetch_max(taken, Ordering::SeqCst).max(taken),
            _ => taken,
        };
        taken + record.payload.len() <= LIMIT
    }

    fn full<T>(&self, operation: Operation) -> Result<T, StorageError> {
        Err(StorageError::new(StorageErrorKind::Full, operation.name(), self.name()))
    }

    pub(super) async fn create_in_room(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        while !self.fits(key, &record) {
            if self.bug != Bug::FullRemovesAnother {
                return self.full(Operation::Create);
            }
            self.model.step(|_, state, _| state.records.pop_first());
        }
        self.model.create(key, record).await
    }

    pub(super) async fn commit_in_room(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        if self.fits(lock.key(), &record) {
            return self.model.commit(lock, record).await;
        }
        if self.bug == Bug::FullDisarmsTheLock {
            lock.disarm();
        }
        self.full(Operation::Commit)
    }

    pub(super) async fn replace_in_room(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        let fits = self.fits(&known.key, &record);
        if fits || self.bug == Bug::FullReplacesAnyway {
            let replaced = self.model.replace(known, record).await;
            return if fits { replaced } else { self.full(Operation::Replace) };
        }
        self.full(Operation::Replace)
    }

    pub(super) async fn rotate_in_room(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        let fits = self.fits(lock.key(), &record);
        if fits || self.bug == Bug::FullMovesAnyway {
            let rotated = self.model.rotate(lock, new_key, record, grace).await;
            return if fits { rotated } else { self.full(Operation::Rotate) };
        }
        self.full(Operation::Rotate)
    }
}
