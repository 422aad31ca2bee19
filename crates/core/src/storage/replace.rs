//! [`replace_under_lock`]: an optimistic write that takes the lock.

use std::time::Duration;

use crate::storage::{Lock, Locked, Lookup, Record, Storage, StorageError, StorageErrorKind, Stored};

/// Implements [`Storage::replace`] with the other operations: takes the lock if it is free, compares, and commits.
///
/// It is for storages that have no single step for it. It takes two steps, between which other callers find the lock
/// held; the conformance kit has to be told (`Profile::with_replace_under_lock`). A [`touch`](Storage::touch) between
/// them counts as earlier, as with every commit: `record` overwrites the times that it has moved.
///
/// # Errors
///
/// The errors of [`Storage::replace`].
pub async fn replace_under_lock<S: Storage + ?Sized>(
    storage: &S,
    known: &Stored,
    record: Record,
) -> Result<bool, StorageError> {
    let Some(mut lock) = lock_if_unchanged(storage, known).await.map_err(into_replace_error)? else {
        return Ok(false);
    };
    match storage.commit(&mut lock, record).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == StorageErrorKind::LockLost => Ok(false),
        Err(error) => Err(into_replace_error(error)),
    }
}

/// Converts the error of one step into an error of the whole `replace`.
pub(crate) fn into_replace_error(error: StorageError) -> StorageError {
    match error.operation() {
        "replace" => error,
        _ => StorageError::new(error.kind(), "replace", error.storage()).with_source(error),
    }
}

/// Takes the lock of a session if it is free and the record is still as in `known`.
pub(crate) async fn lock_if_unchanged<S: Storage + ?Sized>(
    storage: &S,
    known: &Stored,
) -> Result<Option<Lock>, StorageError> {
    let fail = |kind| Err(StorageError::new(kind, "replace", storage.name()));
    let Locked { lock, record: found } = match storage.lock(&known.key, Duration::ZERO).await {
        Ok(Lookup::Found(locked)) => locked,
        Ok(Lookup::Missing) => return fail(StorageErrorKind::Gone),
        Ok(Lookup::Superseded) => return fail(StorageErrorKind::Superseded),
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
