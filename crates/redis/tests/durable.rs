//! An acknowledged durable write has reached the replicas, whichever process wrote it.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Lookup, SessionKey, Storage, StorageError, StorageErrorKind};
use sessile_lab::redis::{RedisSentinel, RedisServer};
use sessile_redis::{RedisServers, RedisStorage};
use support::{fresh, fresh_pair, record};

const MINUTE: Duration = Duration::from_secs(60);

async fn connect(group: &RedisSentinel) -> RedisStorage {
    let servers = RedisServers::sentinel(group.urls(), group.name());
    let builder = RedisStorage::builder(servers).durable(1, Duration::from_millis(200));
    builder.durable_commits().connect().await.unwrap()
}

/// Returns the replication offset of the primary.
fn replication_offset(primary: &RedisServer) -> u64 {
    primary
        .info("replication", "master_repl_offset")
        .unwrap()
        .parse()
        .unwrap()
}

fn falls_short(logout: Result<Lookup<()>, StorageError>) {
    let error = logout.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Unavailable);
    assert!(
        std::error::Error::source(&error)
            .unwrap()
            .is::<sessile_redis::ReplicationShortfall>()
    );
}

/// Returns the old key of a session that has moved.
async fn moved(storage: &RedisStorage, grace: Duration) -> SessionKey {
    let (old, new) = fresh_pair();
    storage.create(&old, record(storage, "x", Some(MINUTE))).await.unwrap();
    let mut locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
    storage
        .rotate(&mut locked.lock, &new, locked.record, grace)
        .await
        .unwrap();
    old
}

#[tokio::test]
async fn a_logout_that_finds_nothing_to_end_is_not_acknowledged_without_the_replicas() {
    let group = RedisSentinel::start();
    let (one, two) = (connect(&group).await, connect(&group).await);
    let key = fresh();
    one.create(&key, record(&one, "x", Some(MINUTE))).await.unwrap();
    let moved = moved(&one, MINUTE).await;
    group.servers()[1].pause();
    for key in [key, moved] {
        falls_short(one.destroy(&key).await);
        for storage in [&one, &two, &connect(&group).await] {
            falls_short(storage.destroy(&key).await);
        }
    }
    group.servers()[1].resume();
    assert_eq!(one.destroy(&key).await.unwrap(), Lookup::Missing);
    assert_eq!(one.destroy(&moved).await.unwrap(), Lookup::Superseded);
}

/// A refused write is not executed, so it cannot fall short.
#[tokio::test]
async fn a_refused_write_does_not_fall_short() {
    let group = RedisSentinel::start();
    let storage = connect(&group).await;
    let ((key, new), taken) = (fresh_pair(), fresh());
    for key in [&key, &taken] {
        storage.create(key, record(&storage, "x", Some(MINUTE))).await.unwrap();
    }
    let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let lock_id = locked.lock.id();
    locked.lock.disarm();
    storage
        .release(sessile_core::Lock::new(lock_id, MINUTE, Arc::new(IgnoreReleases)))
        .await
        .unwrap();
    group.servers()[1].pause();
    let mut lost = sessile_core::Lock::new(lock_id, MINUTE, Arc::new(IgnoreReleases));
    let next = record(&storage, "y", Some(MINUTE));
    for error in [
        storage.commit(&mut lost, next.clone()).await.unwrap_err(),
        storage.rotate(&mut lost, &new, next.clone(), MINUTE).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), StorageErrorKind::LockLost);
    }
    let error = storage.create(&taken, next).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Exists);
    group.servers()[1].resume();
    lost.disarm();
    assert_eq!(storage.shortfalls(), 0);
}

/// Ignores releases.
struct IgnoreReleases;

impl sessile_core::Unlock for IgnoreReleases {
    fn unlock(&self, _: sessile_core::LockId) {}
}

/// WAIT waits for the last write of its connection. With some servers, a call without a write waits for nothing.
#[tokio::test]
async fn every_durable_logout_writes_something_and_leaves_nothing_behind() {
    let group = RedisSentinel::start();
    let storage = connect(&group).await;
    let primary = &group.servers()[0];
    let key = fresh();
    storage.create(&key, record(&storage, "x", Some(MINUTE))).await.unwrap();
    let aliased = moved(&storage, MINUTE).await;
    let marked = moved(&storage, Duration::ZERO).await;
    for key in [&key, &aliased, &marked] {
        assert_eq!(storage.destroy(key).await.unwrap(), Lookup::Found(()));
    }
    let stands = primary.command(&["DBSIZE"]);
    let lives = |key: &SessionKey| {
        let name = format!(
            "sessile:{}",
            key.to_string()
                .replacen(key.shard(), &format!("{{{}}}", key.shard()), 1)
        );
        primary.command(&["PTTL", &name]).text().parse::<i64>().unwrap()
    };
    let writes = || (primary.calls("setrange"), primary.calls("set"));
    // Each alias and tombstone of the chain, and its end.
    for (key, reply, marks) in [
        (&key, Lookup::Missing, 0),
        (&aliased, Lookup::Superseded, 1),
        (&marked, Lookup::Superseded, 1),
    ] {
        let (before, sent, lived) = (writes(), replication_offset(primary), lives(key));
        assert_eq!(storage.destroy(key).await.unwrap(), reply);
        assert_eq!(writes(), (before.0 + marks, before.1 + 1), "{reply:?}");
        assert!(replication_offset(primary) > sent);
        assert!(lives(key) <= lived);
        assert_eq!(primary.command(&["DBSIZE"]), stands);
    }
    // A logout that does not wait for replicas writes nothing.
    let plain = RedisStorage::connect(RedisServers::sentinel(group.urls(), group.name()))
        .await
        .unwrap();
    let before = writes();
    assert_eq!(plain.destroy(&key).await.unwrap(), Lookup::Missing);
    assert_eq!(plain.destroy(&aliased).await.unwrap(), Lookup::Superseded);
    assert_eq!(writes(), before);
}
