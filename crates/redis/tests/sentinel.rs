//! Behind Sentinel: finding the primary, following it, and the losses of a failover.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile_core::{Lookup, Storage, StorageError, StorageErrorKind};
use sessile_lab::redis::RedisSentinel;
use sessile_redis::{RedisServers, RedisStorage, RedisStorageBuilder, ReplicationShortfall, Shortfall};
use support::{eventually, fresh, fresh_pair, payload, record};

const MINUTE: Duration = Duration::from_secs(60);
/// Long enough for a call that has to start on a machine on which ten such groups of servers start at the same time.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The time limit of calls that must not take much longer than [`TIMEOUT`], on a busy machine.
const IN_TIME: Duration = Duration::from_secs(10);

fn servers(group: &RedisSentinel) -> RedisServers {
    RedisServers::sentinel(group.urls(), group.name()).timeout(TIMEOUT)
}

fn storage(group: &RedisSentinel) -> RedisStorageBuilder {
    RedisStorage::builder(servers(group))
}

/// Writes until that succeeds again. Until then each call fails in time.
async fn recovers(storage: &RedisStorage) {
    eventually("a session can be created", async || {
        let start = Instant::now();
        match storage.create(&fresh(), record(storage, "x", Some(MINUTE))).await {
            Ok(()) => true,
            Err(error) => {
                assert!(start.elapsed() < IN_TIME, "{:?}", start.elapsed());
                let kind = error.kind();
                assert!(
                    matches!(kind, StorageErrorKind::Unavailable | StorageErrorKind::Timeout),
                    "{error:?}"
                );
                false
            }
        }
    })
    .await;
}

async fn replicated(group: &RedisSentinel) {
    let [primary, replica] = group.servers() else {
        panic!("two servers")
    };
    support::until("replicated", || {
        primary.info("replication", "master_repl_offset") == replica.info("replication", "slave_repl_offset")
    })
    .await;
}

#[tokio::test]
async fn an_ordered_failover_is_followed() {
    let group = RedisSentinel::start();
    let one = Arc::new(storage(&group).connect().await.unwrap());
    let two = Arc::new(storage(&group).connect().await.unwrap());
    let key = fresh();
    one.create(&key, record(&one, "x", Some(MINUTE))).await.unwrap();
    let held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let waiting = tokio::spawn({
        let two = Arc::clone(&two);
        async move {
            loop {
                match two.lock(&key, MINUTE).await {
                    Ok(locked) => break locked.map(|locked| locked.record.payload),
                    Err(error) => assert!(error.is_retryable(), "{error:?}"),
                }
            }
        }
    });
    group.fail_over();
    recovers(&one).await;
    recovers(&two).await;
    // The lock has moved with the session, and is handed over on the new primary.
    let mut held = held;
    one.commit(&mut held.lock, record(&one, "y", Some(MINUTE)))
        .await
        .unwrap();
    let found = tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found, Lookup::Found("y".into()));
}

#[tokio::test]
async fn a_primary_that_dies_is_replaced() {
    let mut group = RedisSentinel::start();
    let storage = storage(&group).connect().await.unwrap();
    let key = fresh();
    storage.create(&key, record(&storage, "x", Some(MINUTE))).await.unwrap();
    replicated(&group).await;
    group.servers_mut()[0].kill();
    recovers(&storage).await;
    assert_eq!(payload(&storage, &key).await, Lookup::Found("x".into()));

    // The server comes back as a replica, and receives no writes from the storage.
    group.servers_mut()[0].restart();
    let role = || group.servers()[0].try_command(&["ROLE"]);
    support::until("demoted", || role().is_ok_and(|role| role.items()[0].text() == "slave")).await;
    recovers(&storage).await;
}

#[tokio::test]
async fn a_primary_that_freezes_is_replaced() {
    let group = RedisSentinel::start();
    let storage = storage(&group).connect().await.unwrap();
    let key = fresh();
    storage.create(&key, record(&storage, "x", Some(MINUTE))).await.unwrap();
    replicated(&group).await;
    group.servers()[0].pause();
    recovers(&storage).await;
    storage.destroy(&key).await.unwrap();
    // The server is back in its old role for a moment, and is not used.
    group.servers()[0].resume();
    assert_eq!(storage.read(&key).await.unwrap(), Lookup::Missing);
}

#[tokio::test]
async fn one_sentinel_that_replies_is_enough() {
    let mut group = RedisSentinel::start();
    group.sentinels_mut()[0].kill();
    group.sentinels_mut()[1].pause();
    let storage = RedisStorage::connect(servers(&group).timeout(Duration::from_secs(3)))
        .await
        .unwrap();
    recovers(&storage).await;
    group.sentinels_mut()[2].kill();
    // No sentinel is needed as long as the primary replies.
    recovers(&storage).await;
    drop(storage);
    let error = RedisStorage::connect(servers(&group)).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn a_sentinel_that_names_a_frozen_server_is_not_the_last_to_be_asked() {
    let (group, behind) = (RedisSentinel::start(), RedisSentinel::start_with(0, &[]));
    // No replica can take over, so the sentinels go on naming it.
    behind.servers()[0].pause();
    let urls = behind.urls().into_iter().take(1).chain(group.urls());
    let servers = RedisServers::sentinel(urls, group.name()).timeout(Duration::from_secs(3));
    recovers(&RedisStorage::connect(servers).await.unwrap()).await;
    behind.servers()[0].resume();
}

#[tokio::test]
async fn an_unknown_primary_is_an_error() {
    let group = RedisSentinel::start();
    let error = RedisStorage::connect(RedisServers::sentinel(group.urls(), "another").timeout(TIMEOUT))
        .await
        .unwrap_err();
    assert_eq!(error.operation(), "connect");
}

fn shortfall(error: &StorageError) -> ReplicationShortfall {
    assert_eq!(error.kind(), StorageErrorKind::Unavailable, "{error:?}");
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<ReplicationShortfall>());
    *source.unwrap_or_else(|| panic!("{error:?}"))
}

#[tokio::test]
async fn a_logout_that_reaches_no_replica_is_reported_each_time() {
    let group = RedisSentinel::start();
    let wait = Duration::from_millis(100);
    let storage = storage(&group).durable(1, wait).connect().await.unwrap();
    let (key, kept) = (fresh(), fresh());
    for key in [&key, &kept] {
        storage.create(key, record(&storage, "x", Some(MINUTE))).await.unwrap();
    }
    replicated(&group).await;
    group.servers()[1].pause();
    for _ in 0..2 {
        let start = Instant::now();
        let error = storage.destroy(&key).await.unwrap_err();
        let fell_short = shortfall(&error);
        assert_eq!((fell_short.wanted, fell_short.reached), (1, 0));
        assert!(start.elapsed() >= wait && start.elapsed() < IN_TIME);
    }
    // Only writes that end a key wait for replicas.
    let mut locked = storage.lock(&kept, MINUTE).await.unwrap().found().unwrap();
    storage
        .commit(&mut locked.lock, record(&storage, "y", Some(MINUTE)))
        .await
        .unwrap();
    let (old, new) = fresh_pair();
    storage.create(&old, record(&storage, "x", Some(MINUTE))).await.unwrap();
    let mut locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
    let rotated = storage
        .rotate(&mut locked.lock, &new, locked.record.clone(), Duration::ZERO)
        .await;
    shortfall(&rotated.unwrap_err());
    assert_eq!(storage.shortfalls(), 3);

    group.servers()[1].resume();
    assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Missing);
    assert_eq!(storage.destroy(&kept).await.unwrap(), Lookup::Found(()));
    assert_eq!(storage.shortfalls(), 3);
}

#[tokio::test]
async fn every_commit_can_be_made_to_wait_and_a_shortfall_can_be_counted_only() {
    let group = RedisSentinel::start();
    let wait = Duration::from_millis(50);
    let durable = storage(&group).durable(1, wait).durable_commits();
    let strict = durable.clone().connect().await.unwrap();
    let counting = durable.on_shortfall(Shortfall::Count).connect().await.unwrap();
    group.servers()[1].pause();
    shortfall(
        &strict
            .create(&fresh(), record(&strict, "x", Some(MINUTE)))
            .await
            .unwrap_err(),
    );
    let key = fresh();
    counting
        .create(&key, record(&counting, "x", Some(MINUTE)))
        .await
        .unwrap();
    let mut locked = counting.lock(&key, MINUTE).await.unwrap().found().unwrap();
    counting.commit(&mut locked.lock, locked.record.clone()).await.unwrap();
    assert_eq!(counting.shortfalls(), 2);
    let mut locked = strict.lock(&key, MINUTE).await.unwrap().found().unwrap();
    shortfall(
        &strict
            .commit(&mut locked.lock, locked.record.clone())
            .await
            .unwrap_err(),
    );
    group.servers()[1].resume();
}

#[tokio::test]
async fn many_durable_logouts_share_a_wait() {
    let group = RedisSentinel::start();
    let wait = Duration::from_millis(200);
    let storage = Arc::new(
        RedisStorage::builder(servers(&group).timeout(Duration::from_secs(2)))
            .durable(1, wait)
            .connect()
            .await
            .unwrap(),
    );
    let keys: Vec<_> = (0..100).map(|_| fresh()).collect();
    for key in &keys {
        storage.create(key, record(&storage, "x", Some(MINUTE))).await.unwrap();
    }
    replicated(&group).await;
    group.servers()[1].pause();
    let start = Instant::now();
    let tasks: Vec<_> = keys
        .into_iter()
        .map(|key| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move { storage.destroy(&key).await })
        })
        .collect();
    for task in tasks {
        shortfall(&task.await.unwrap().unwrap_err());
    }
    // One after the other they would have taken 20 seconds.
    assert!(start.elapsed() < wait * 50, "{:?}", start.elapsed());
    group.servers()[1].resume();
}

/// A replica lags, the primary dies, and the replica takes over: writes that had not reached it are lost.
async fn lose_a_logout(durable: bool) -> (Result<Lookup<()>, StorageError>, Lookup<String>) {
    let mut group = RedisSentinel::start();
    let builder = storage(&group);
    let builder = if durable {
        builder.durable(1, Duration::from_millis(100))
    } else {
        builder
    };
    let storage = builder.connect().await.unwrap();
    let key = fresh();
    storage
        .create(&key, record(&storage, "alive", Some(MINUTE)))
        .await
        .unwrap();
    replicated(&group).await;
    group.leave_behind(1, 0);
    let logout = storage.destroy(&key).await;
    group.servers_mut()[0].kill();
    group.servers()[1].resume();
    recovers(&storage).await;
    (logout, payload(&storage, &key).await)
}

#[tokio::test]
async fn a_failover_can_lose_a_logout_and_a_durable_one_is_not_acknowledged() {
    let (logout, after) = lose_a_logout(false).await;
    // This demonstrates the risk without durability.
    assert_eq!(
        (logout.unwrap(), after),
        (Lookup::Found(()), Lookup::Found("alive".into()))
    );
    let (logout, after) = lose_a_logout(true).await;
    shortfall(&logout.unwrap_err());
    assert_eq!(after, Lookup::Found("alive".into()));
}
