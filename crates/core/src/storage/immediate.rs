//! [`ImmediateStorage`]: operations that never wait, as plain functions.

use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{Lock, Locked, Lookup, Record, StorageError, Stored};

/// The operations of a [`Storage`](crate::Storage) that never wait, as plain functions.
///
/// A storage in the memory of the process has its result immediately. The future that carries the result, and the
/// allocation of that future, can cost more than the operation. A storage that returns this from
/// [`Storage::immediate`](crate::Storage::immediate) saves both: callers use these functions instead of the operations
/// of the same names.
///
/// # The contract
///
/// Each function does the same as the operation of its name, with the same results and errors, in the same atomic step;
/// functions and operations can be mixed. In addition:
///
/// - **It never blocks**: it waits for no lock on a session, for no other process and for no disk, and can be called on
///   the thread of an event loop.
/// - [`lock`](ImmediateStorage::lock) returns `None` where the operation would have to wait. Nothing was done then, and
///   no waiter is queued.
/// - Lookups return **the time** at which they were judged, by the storage's [clock](crate::Storage::clock).
///
/// Other operations are called on the storage.
pub trait ImmediateStorage: Send + Sync {
    /// Same as [`Storage::read`](crate::Storage::read), with the time of the lookup.
    ///
    /// # Errors
    ///
    /// The errors of the operation.
    fn read(&self, key: &SessionKey) -> Result<(Lookup<Stored>, Timestamp), StorageError>;

    /// Same as [`Storage::lock`](crate::Storage::lock), with the time of the lookup; `None` if the lock is held.
    ///
    /// # Errors
    ///
    /// The errors of the operation, except for those of waiting.
    fn lock(&self, key: &SessionKey) -> Option<Result<(Lookup<Locked>, Timestamp), StorageError>>;

    /// Same as [`Storage::create`](crate::Storage::create).
    ///
    /// # Errors
    ///
    /// The errors of the operation.
    fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError>;

    /// Same as [`Storage::commit`](crate::Storage::commit).
    ///
    /// # Errors
    ///
    /// The errors of the operation.
    fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError>;

    /// Same as [`Storage::replace`](crate::Storage::replace).
    ///
    /// # Errors
    ///
    /// The errors of the operation.
    fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError>;

    /// Same as [`Storage::destroy`](crate::Storage::destroy).
    ///
    /// # Errors
    ///
    /// The errors of the operation.
    fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError>;

    /// Same as [`Storage::release`](crate::Storage::release).
    ///
    /// # Errors
    ///
    /// The errors of the operation.
    fn release(&self, lock: Lock) -> Result<(), StorageError>;
}
