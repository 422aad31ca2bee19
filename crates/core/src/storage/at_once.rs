//! [`AtOnce`]: operations that never wait, without a future.

use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{Lock, Locked, Lookup, Record, StorageError, Stored};

/// The operations of a [`Storage`](crate::Storage) that answers at once, as plain functions.
///
/// A storage in the memory of the process has its answer the moment it is asked. The future that carries such an answer,
/// and the allocation that carries the future, can cost more than the answer. A storage that offers this saves both:
/// whoever has it from [`Storage::at_once`](crate::Storage::at_once) calls these in the place of the operations of the
/// same names.
///
/// # The contract
///
/// Each function does what the operation of its name does, with the same answers and the same errors, and is the same
/// atomic step; the two doors can be used side by side. In addition:
///
/// - **It never blocks**: it waits for no lock on a session, for no other process and for no disk, and can be called
///   on the thread of an event loop.
/// - [`lock`](AtOnce::lock) answers `None` where the operation would have to wait. Nothing was done then, and nobody is
///   queued.
/// - Lookups say **at which moment** they were judged, by the storage's [clock](crate::Storage::clock).
///
/// Operations that are not here are called on the storage.
pub trait AtOnce: Send + Sync {
    /// As [`Storage::read`](crate::Storage::read), with the moment of the judgement.
    ///
    /// # Errors
    ///
    /// The errors of the operation.
    fn read(&self, key: &SessionKey) -> Result<(Lookup<Stored>, Timestamp), StorageError>;

    /// As [`Storage::lock`](crate::Storage::lock), with the moment of the judgement; `None` if the lock is held.
    ///
    /// # Errors
    ///
    /// The errors of the operation, except for those of waiting.
    fn lock(&self, key: &SessionKey) -> Option<Result<(Lookup<Locked>, Timestamp), StorageError>>;

    /// As [`Storage::create`](crate::Storage::create).
    ///
    /// # Errors
    ///
    /// The errors of the operation.
    fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError>;

    /// As [`Storage::commit`](crate::Storage::commit).
    ///
    /// # Errors
    ///
    /// The errors of the operation.
    fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError>;

    /// As [`Storage::replace`](crate::Storage::replace).
    ///
    /// # Errors
    ///
    /// The errors of the operation.
    fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError>;

    /// As [`Storage::destroy`](crate::Storage::destroy).
    ///
    /// # Errors
    ///
    /// The errors of the operation.
    fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError>;

    /// As [`Storage::release`](crate::Storage::release).
    ///
    /// # Errors
    ///
    /// The errors of the operation.
    fn release(&self, lock: Lock) -> Result<(), StorageError>;
}
