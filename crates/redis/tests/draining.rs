//! Releasing the locks of a process that is about to end.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sessile_core::{Storage, StorageErrorKind};
use sessile_lab::redis::{Proxy, RedisServer};
use sessile_redis::RedisStorage;
use support::{fresh, record};
use tokio::time::timeout;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_drain_waits_for_locks_and_releases_those_that_are_left() {
    let server = RedisServer::start();
    let connect = || RedisStorage::builder(server.url()).lease(MINUTE).connect();
    let (storage, other) = (Arc::new(connect().await.unwrap()), connect().await.unwrap());
    let keys = [fresh(), fresh(), fresh()];
    for key in &keys {
        storage.create(key, record(&storage, "x", None)).await.unwrap();
    }

    // A lock that is committed, by a clone.
    let clone = storage.clone();
    let mut locked = clone.lock(&keys[0], MINUTE).await.unwrap().found().unwrap();
    let committed = Arc::new(AtomicBool::new(false));
    let visit = tokio::spawn({
        let committed = Arc::clone(&committed);
        async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            clone.commit(&mut locked.lock, locked.record).await.unwrap();
            committed.store(true, Ordering::SeqCst);
        }
    });
    storage.drain(MINUTE).await;
    assert!(committed.load(Ordering::SeqCst));
    visit.await.unwrap();

    // A lock that was dropped, and is released in the background.
    drop(storage.lock(&keys[1], MINUTE).await.unwrap());
    storage.drain(MINUTE).await;
    assert!(other.lock(&keys[1], Duration::ZERO).await.unwrap().is_found());

    // A lock whose holder does not finish.
    let mut left = storage.lock(&keys[2], MINUTE).await.unwrap().found().unwrap();
    storage.drain(Duration::from_millis(10)).await;
    let taken = other.lock(&keys[2], Duration::ZERO).await.unwrap().found().unwrap();
    let error = storage.commit(&mut left.lock, left.record).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::LockLost);
    other.release(taken.lock).await.unwrap();
}

/// The releases are retried until the server has executed them, even if the drain is dropped.
#[tokio::test]
async fn a_dropped_drain_still_releases_all_locks() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let connect = |url| RedisStorage::builder(url).lease(MINUTE).connect();
    let (storage, other) = (
        connect(proxy.url()).await.unwrap(),
        connect(server.url()).await.unwrap(),
    );
    let keys: Vec<_> = (0..10).map(|_| fresh()).collect();
    let mut held = Vec::new();
    for key in &keys {
        storage.create(key, record(&storage, "x", None)).await.unwrap();
        held.push(storage.lock(key, MINUTE).await.unwrap().found().unwrap());
    }
    proxy.go_silent();
    {
        let drained = storage.drain(Duration::from_millis(10));
        assert!(timeout(Duration::from_millis(200), drained).await.is_err());
    }
    proxy.heal();
    for key in &keys {
        let locked = timeout(MINUTE / 2, other.lock(key, MINUTE)).await.unwrap();
        other.release(locked.unwrap().found().unwrap().lock).await.unwrap();
    }
    drop(held);
}
