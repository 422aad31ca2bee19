//! `replace`: writes without a lock if the record is as it was read, and its lock is free.

#![allow(clippy::unwrap_used, reason = "an unwrap is an assertion here")]

mod common;

use std::time::Duration;

use common::*;
use sessile_core::{Clock, Lookup, Record, SessionKey, Storage, StorageErrorKind, Stored};
use sessile_memory::MemoryStorage;

async fn known(storage: &MemoryStorage, key: &SessionKey) -> Stored {
    read(storage, key).await.found().expect("the session is there")
}

/// Returns the next version of a known record.
fn next(known: &Stored, payload: &'static str) -> Record {
    let mut record = known.record.clone();
    record.meta.version += 1;
    record.payload = payload.into();
    record
}

/// Asserts that `replace` refuses, and changes nothing.
async fn assert_refused(storage: &MemoryStorage, known: &Stored) {
    let (before, stats) = (read(storage, &known.key).await, storage.stats());
    assert!(!storage.replace(known, next(known, "refused")).await.unwrap());
    assert_eq!((read(storage, &known.key).await, storage.stats()), (before, stats));
}

#[tokio::test]
async fn a_record_that_is_as_it_was_read_is_replaced_once() {
    let (storage, _) = manual_storage();
    let key = session(&storage, "a").await;
    let first = known(&storage, &key).await;
    let record = next(&first, "b");
    assert!(storage.replace(&first, record.clone()).await.unwrap());
    assert_eq!(known(&storage, &key).await.record, record);
    assert_refused(&storage, &first).await;
    assert_free(&storage, &key).await;
}

#[tokio::test]
async fn a_record_that_was_written_or_touched_since_is_not_replaced() {
    let (storage, clock) = manual_storage();
    let key = new_key();
    storage.create(&key, ending(&storage, "a", 10 * SECOND)).await.unwrap();
    let deadline = |after| Some(storage.clock().now() + after);

    let read_first = known(&storage, &key).await;
    let moment = storage.clock().now();
    assert!(storage.touch(&key, 1, deadline(20 * SECOND), moment).await.unwrap());
    assert_refused(&storage, &read_first).await;

    let before_activity = known(&storage, &key).await;
    clock.advance(SECOND);
    let moment = storage.clock().now();
    assert!(storage.touch(&key, 1, deadline(19 * SECOND), moment).await.unwrap());
    assert_refused(&storage, &before_activity).await;

    let before_commit = known(&storage, &key).await;
    let mut held = lock(&storage, &key).await;
    let record = next(&before_commit, "b");
    storage.commit(&mut held.lock, record).await.unwrap();
    assert_refused(&storage, &before_commit).await;
    let last = known(&storage, &key).await;
    assert!(storage.replace(&last, next(&last, "c")).await.unwrap());
}

#[tokio::test]
async fn a_locked_record_is_not_replaced_until_the_lease_is_over() {
    let (storage, clock) = manual_storage();
    let key = session(&storage, "a").await;
    let known = known(&storage, &key).await;
    let mut late = lock(&storage, &key).await;
    assert_refused(&storage, &known).await;
    clock.advance(LEASE - MS);
    assert_refused(&storage, &known).await;
    clock.advance(MS);
    assert!(storage.replace(&known, next(&known, "b")).await.unwrap());

    // The lease was over when the record was replaced, and stays so even if the clock is set back.
    clock.set(known.record.meta.created_at);
    let lost = storage.commit(&mut late.lock, late.record).await;
    assert_eq!(kind(lost), StorageErrorKind::LockLost);
    assert_eq!(payload(&storage, &key).await.as_deref(), Some("b"));
    assert_free(&storage, &key).await;
}

#[tokio::test(start_paused = true)]
async fn a_lock_whose_lease_is_over_goes_to_the_first_waiter() {
    let storage = tokio_storage();
    let key = session(&storage, "a").await;
    let known = known(&storage, &key).await;
    let crashed = lock(&storage, &key).await;
    std::mem::forget(crashed);
    let waiting = tokio::spawn({
        let storage = storage.clone();
        async move { storage.lock(&key, 2 * LEASE).await.unwrap().found().unwrap() }
    });
    settle().await;
    assert_eq!(storage.stats().waiters, 1);
    // The lease ends, and the waiter has not been polled yet.
    tokio::time::advance(LEASE).await;
    assert_eq!((storage.stats().locks, storage.stats().waiters), (0, 1));
    assert!(!storage.replace(&known, next(&known, "refused")).await.unwrap());
    assert_eq!(waiting.await.unwrap().record.payload, "a");
    assert!(storage.replace(&known, next(&known, "b")).await.unwrap());
}

#[tokio::test]
async fn a_record_that_is_gone_or_has_moved_is_an_error() {
    let (storage, clock) = manual_storage();
    let [old, new] = rotated_keys();
    storage.create(&old, ending(&storage, "a", 100 * SECOND)).await.unwrap();
    let before = known(&storage, &old).await;
    let mut held = lock(&storage, &old).await;
    let record = next(&before, "b");
    storage.rotate(&mut held.lock, &new, record, SECOND).await.unwrap();

    // The alias leads to a record, but not to the known one.
    assert!(!storage.replace(&before, next(&before, "c")).await.unwrap());
    let mut pretended = known(&storage, &new).await;
    pretended.key = old;
    assert!(!storage.replace(&pretended, next(&pretended, "c")).await.unwrap());
    assert_eq!(payload(&storage, &new).await.as_deref(), Some("b"));
    clock.advance(SECOND);
    let moved = storage.replace(&before, next(&before, "c")).await;
    assert_eq!(kind(moved), StorageErrorKind::Superseded);

    let last = known(&storage, &new).await;
    clock.advance(99 * SECOND);
    let expired = storage.replace(&last, next(&last, "c")).await;
    assert_eq!(kind(expired), StorageErrorKind::Gone);
    let destroyed = session(&storage, "a").await;
    let last = known(&storage, &destroyed).await;
    storage.destroy(&destroyed).await.unwrap();
    let gone = storage.replace(&last, next(&last, "c")).await;
    assert_eq!(kind(gone), StorageErrorKind::Gone);
    assert_eq!(read(&storage, &destroyed).await, Lookup::Missing);
}

#[tokio::test]
async fn the_deadline_of_the_new_record_holds() {
    let (storage, clock) = manual_storage();
    let key = session(&storage, "a").await;
    let known = known(&storage, &key).await;
    let mut record = next(&known, "b");
    record.meta.deadline = Some(clock.now() + SECOND);
    assert!(storage.replace(&known, record).await.unwrap());
    clock.advance(SECOND);
    assert_eq!(read(&storage, &key).await, Lookup::Missing);
    assert_eq!(storage.sweep(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn it_reserves_bytes_and_frees_them() {
    const SESSION: usize = MemoryStorage::SESSION_BYTES;
    let clock = manual_clock();
    let builder = MemoryStorage::builder().clock(clock.clone()).sweeper(false);
    let storage = builder.max_bytes(2 * SESSION + 10).build();
    let short = new_key();
    storage.create(&short, ending(&storage, "12", SECOND)).await.unwrap();
    let key = session(&storage, "12").await;
    let first = known(&storage, &key).await;

    let refused = storage.replace(&first, next(&first, "123456789")).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.operation()),
        (StorageErrorKind::Full, "replace")
    );
    assert_eq!(known(&storage, &key).await, first);
    assert_eq!(storage.stats().bytes, 2 * SESSION + 4);
    assert!(storage.replace(&first, next(&first, "12345678")).await.unwrap());
    assert_eq!(storage.stats().bytes, 2 * SESSION + 10);

    // A refusal for another reason reserves nothing, and a shorter payload is always accepted.
    assert_refused(&storage, &first).await;
    let second = known(&storage, &key).await;
    assert!(storage.replace(&second, next(&second, "1")).await.unwrap());
    assert_eq!(storage.stats().bytes, 2 * SESSION + 3);

    // Expired sessions make room, and live ones do not.
    clock.advance(Duration::from_secs(1));
    let third = known(&storage, &key).await;
    assert!(storage.replace(&third, next(&third, "1234567890")).await.unwrap());
    assert_eq!((storage.stats().stored, storage.stats().bytes), (1, SESSION + 10));
}
