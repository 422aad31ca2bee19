//! [`replace_under_lock`]: an optimistic write by means of the lock.

use std::time::Duration;

use crate::storage::{Lock, Locked, Lookup, Record, Storage, StorageError, StorageErrorKind, Stored};

/// Does what [`Storage::replace`] asks for by means of the other operations: takes the lock, if that is free, compares,
/// and commits.
///
/// It is for storages that have no single step for it. It takes two steps, between which others see a lock that is held. A
/// [`touch`](Storage::touch) that comes between them counts as earlier, as for every commit: what it has moved is
/// what the record says.
///
/// # Errors
///
/// The errors of [`Storage::replace`].
pub async fn replace_under_lock<S: Storage + ?Sized>(
    storage: &S,
    known: &Stored,
    record: Record,
) -> Result<bool, StorageError> {
    let Some(mut lock) = lock_as_known(storage, known).await.map_err(as_replace)? else {
        return Ok(false);
    };
    match storage.commit(&mut lock, record).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == StorageErrorKind::LockLost => Ok(false),
        Err(error) => Err(as_replace(error)),
    }
}

/// The error of a step, as that of the call that took it.
pub(crate) fn as_replace(error: StorageError) -> StorageError {
    match error.operation() {
        "replace" => error,
        _ => StorageError::new(error.kind(), "replace", error.storage()).with_source(error),
    }
}

/// Takes the lock of a session if it is free and the record is the one that was read.
pub(crate) async fn lock_as_known<S: Storage + ?Sized>(
    storage: &S,
    known: &Stored,
) -> Result<Option<Lock>, StorageError> {
    let gone = |kind| Err(StorageError::new(kind, "replace", storage.name()));
    let Locked { lock, record: found } = match storage.lock(&known.key, Duration::ZERO).await {
        Ok(Lookup::Found(locked)) => locked,
        Ok(Lookup::Missing) => return gone(StorageErrorKind::Gone),
        Ok(Lookup::Superseded) => return gone(StorageErrorKind::Superseded),
        Err(error) => {
            return match error.kind() {
                StorageErrorKind::LockTimeout | StorageErrorKind::TooManyWaiters => Ok(None),
                _ => Err(error),
            };
        }
    };
    if *lock.key() != known.key || found.meta != known.record.meta {
        storage.release(lock).await?;
        return Ok(None);
    }
    Ok(Some(lock))
}
