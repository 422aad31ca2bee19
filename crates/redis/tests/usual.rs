//! The fast path of a script does what the whole script would, with fewer commands.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::time::Duration;

use sessile_core::{Lookup, Storage, StorageErrorKind, Timestamp};
use sessile_lab::redis::{RedisServer, Reply};
use sessile_redis::{RedisServers, RedisStorage};
use support::{fresh, payload, record};

const MINUTE: Duration = Duration::from_secs(60);

/// The record still has the token of the holder, and no other process has come.
#[tokio::test]
async fn a_commit_is_refused_when_its_lease_is_over_although_the_lock_was_not_taken_since() {
    let server = RedisServer::start();
    let storage = RedisStorage::builder(server.url()).lease(Duration::from_millis(100));
    let storage = storage.connect().await.unwrap();
    let key = fresh();
    storage.create(&key, record(&storage, "one", None)).await.unwrap();
    let mut late = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    let error = storage.commit(&mut late.lock, record(&storage, "late", None)).await;
    assert_eq!(error.unwrap_err().kind(), StorageErrorKind::LockLost);
    assert_eq!(payload(&storage, &key).await, Lookup::Found("one".into()));
}

/// The script asks for the time if the lease may be over before the call is.
#[tokio::test]
async fn a_commit_asks_for_the_time_when_its_call_may_take_longer_than_the_lease() {
    let server = RedisServer::start();
    for (timeout, asked) in [(1, 0), (MINUTE.as_secs(), 1)] {
        let servers = RedisServers::single(server.url()).timeout(Duration::from_secs(timeout));
        let storage = RedisStorage::builder(servers)
            .lease(MINUTE / 2)
            .connect()
            .await
            .unwrap();
        let key = fresh();
        storage.create(&key, record(&storage, "one", None)).await.unwrap();
        let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
        let before = server.calls("time");
        storage
            .commit(&mut locked.lock, record(&storage, "two", None))
            .await
            .unwrap();
        assert_eq!(server.calls("time") - before, asked);
        assert_eq!(payload(&storage, &key).await, Lookup::Found("two".into()));
    }
}

#[tokio::test]
async fn a_record_is_locked_and_committed_as_a_whole_whatever_its_length() {
    let server = RedisServer::start();
    let storage = RedisStorage::connect(server.url()).await.unwrap();
    // The header of a record has 50 bytes here, and 1,024 are read at first.
    for length in [0, 1, 13, 14, 15, 973, 974, 975, 5_000] {
        let key = fresh();
        let text = "x".repeat(length);
        storage
            .create(&key, record(&storage, &text, Some(MINUTE)))
            .await
            .unwrap();
        for _ in 0..2 {
            let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
            assert_eq!(locked.record.payload, text);
            let committed = storage.commit(&mut locked.lock, locked.record.clone());
            committed.await.unwrap();
        }
        let locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
        assert_eq!(locked.record.payload, text);
        storage.release(locked.lock).await.unwrap();
        assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Found(()));
    }
}

#[tokio::test]
async fn a_record_that_is_committed_after_its_deadline_is_gone() {
    let server = RedisServer::start();
    let storage = RedisStorage::connect(server.url()).await.unwrap();
    for ended in [0, 1, storage.clock().now().as_millis() - 1_000] {
        let key = fresh();
        storage.create(&key, record(&storage, "one", None)).await.unwrap();
        let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
        let mut over = record(&storage, "over", None);
        over.meta.deadline = Some(Timestamp::from_millis(ended));
        storage.commit(&mut locked.lock, over).await.unwrap();
        assert_eq!(storage.read(&key).await.unwrap(), Lookup::Missing);
        assert!(matches!(storage.lock(&key, MINUTE).await.unwrap(), Lookup::Missing));
        storage.create(&key, record(&storage, "two", None)).await.unwrap();
    }
}

/// A released lock leaves the bytes of a record that was never locked.
#[tokio::test]
async fn a_release_leaves_the_record_as_it_was() {
    let server = RedisServer::start();
    let storage = RedisStorage::connect(server.url()).await.unwrap();
    let key = fresh();
    storage.create(&key, record(&storage, "one", None)).await.unwrap();
    let name = server.command(&["KEYS", "*"]).items()[0].text();
    for _ in 0..2 {
        let stands = || server.command(&["GET", &name]);
        let before = stands();
        let locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
        assert_ne!(stands(), before);
        storage.release(locked.lock).await.unwrap();
        assert_eq!(stands(), before);
        assert!(matches!(before, Reply::Text(_)));
        let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
        storage.commit(&mut locked.lock, locked.record.clone()).await.unwrap();
    }
}
