//! [`replace_under_lock`]: an optimistic write by means of the lock.

use std::time::Duration;

use crate::storage::{Locked, Lookup, Record, Storage, StorageError, StorageErrorKind, Stored};

/// Does what [`Storage::replace`] asks for by means of the other operations: takes the lock, if that is free, compares,
/// and commits.
///
/// It is for storages that have no single step for it. It takes two steps, and nobody sees anything between them but a
/// lock that is held.
///
/// # Errors
///
/// Those of [`Storage::replace`].
pub async fn replace_under_lock<S: Storage + ?Sized>(
    storage: &S,
    known: &Stored,
    record: Record,
) -> Result<bool, StorageError> {
    let gone = |kind| Err(StorageError::new(kind, "replace", storage.name()));
    let Locked {
        mut lock,
        record: found,
    } = match storage.lock(&known.key, Duration::ZERO).await {
        Ok(Lookup::Found(locked)) => locked,
        Ok(Lookup::Missing) => return gone(StorageErrorKind::Gone),
        Ok(Lookup::Superseded) => return gone(StorageErrorKind::Superseded),
        Err(error) => {
            return match error.kind() {
                StorageErrorKind::LockTimeout | StorageErrorKind::TooManyWaiters => Ok(false),
                _ => Err(error),
            };
        }
    };
    if *lock.key() != known.key || found.meta != known.record.meta {
        storage.release(lock).await?;
        return Ok(false);
    }
    match storage.commit(&mut lock, record).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == StorageErrorKind::LockLost => Ok(false),
        Err(error) => Err(error),
    }
}
