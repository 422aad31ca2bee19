//! [`Rules`]: the behaviour of a model storage, which a test can replace.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::time::Duration;

use sessile_core::{LockId, LockToken, Lookup, Record, SessionHead, SessionKey, StorageErrorKind, Stored, Timestamp};

use crate::model::{Attempt, ModelState, Rotation};

/// The rules of a model storage.
///
/// Every method has a default, which is correct. [`Correct`] keeps all defaults, and a broken
/// storage replaces some.
pub trait Rules: Debug + Send + Sync + 'static {
    /// [`ModelState::read`]
    fn read(&self, state: &ModelState, key: &SessionKey, now: Timestamp) -> Lookup<Stored> {
        state.read(key, now)
    }

    /// [`ModelState::lock`]
    fn lock(
        &self,
        state: &mut ModelState,
        key: &SessionKey,
        token: LockToken,
        lease: Duration,
        now: Timestamp,
    ) -> Lookup<Attempt> {
        state.lock(key, token, lease, now)
    }

    /// [`ModelState::create`]
    ///
    /// # Errors
    ///
    /// Returns the errors of the operation.
    fn create(
        &self,
        state: &mut ModelState,
        key: &SessionKey,
        record: Record,
        now: Timestamp,
    ) -> Result<(), StorageErrorKind> {
        state.create(key, record, now)
    }

    /// [`ModelState::commit`]
    ///
    /// # Errors
    ///
    /// Returns the errors of the operation.
    fn commit(
        &self,
        state: &mut ModelState,
        lock: &LockId,
        record: Record,
        now: Timestamp,
    ) -> Result<(), StorageErrorKind> {
        state.commit(lock, record, now)
    }

    /// [`ModelState::replace`]
    ///
    /// # Errors
    ///
    /// Returns the errors of the operation.
    fn replace(
        &self,
        state: &mut ModelState,
        known: &Stored,
        record: Record,
        now: Timestamp,
    ) -> Result<bool, StorageErrorKind> {
        state.replace(known, record, now)
    }

    /// [`ModelState::rotate`]
    ///
    /// # Errors
    ///
    /// Returns the errors of the operation.
    fn rotate(
        &self,
        state: &mut ModelState,
        lock: &LockId,
        rotation: Rotation,
        record: Record,
        now: Timestamp,
    ) -> Result<(), StorageErrorKind> {
        state.rotate(lock, rotation, record, now)
    }

    /// [`ModelState::release`]
    fn release(&self, state: &mut ModelState, lock: &LockId) {
        state.release(lock);
    }

    /// Handles a dropped lock: releases it.
    fn dropped(&self, state: &mut ModelState, lock: &LockId) {
        state.release(lock);
    }

    /// [`ModelState::renew`]
    ///
    /// # Errors
    ///
    /// Returns the errors of the operation.
    fn renew(
        &self,
        state: &mut ModelState,
        lock: &LockId,
        lease: Duration,
        now: Timestamp,
    ) -> Result<(), StorageErrorKind> {
        state.renew(lock, lease, now)
    }

    /// [`ModelState::touch`]
    ///
    /// # Errors
    ///
    /// Returns the errors of the operation.
    fn touch(
        &self,
        state: &mut ModelState,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StorageErrorKind> {
        state.touch(key, version, deadline, last_active, now)
    }

    /// [`ModelState::destroy`]
    fn destroy(&self, state: &mut ModelState, key: &SessionKey, now: Timestamp) -> Lookup<()> {
        state.destroy(key, now)
    }

    /// [`ModelState::scan`]
    fn scan(&self, state: &ModelState, after: Option<&SessionKey>, limit: usize, now: Timestamp) -> Vec<SessionHead> {
        state.scan(after, limit, now)
    }

    /// [`ModelState::sweep`]
    fn sweep(&self, state: &mut ModelState, limit: usize, now: Timestamp) -> Vec<Stored> {
        state.sweep(limit, now)
    }

    /// Returns whether another waiter is accepted if `waiting` are queued.
    fn admits(&self, waiting: usize, max_waiters: usize) -> bool {
        waiting < max_waiters
    }

    /// Adds a waiter at the end of the queue.
    fn enqueue(&self, queue: &mut VecDeque<u64>, waiter: u64) {
        queue.push_back(waiter);
    }

    /// Returns whether a dropped waiter leaves the queue: it does.
    fn leaves_queue_when_dropped(&self) -> bool {
        true
    }
}

/// The rules of the contract.
#[derive(Debug, Clone, Copy, Default)]
pub struct Correct;

impl Rules for Correct {}
