//! Durations at both limits.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::time::Duration;

use sessile_core::{Storage, StorageErrorKind};
use sessile_lab::redis::RedisServer;
use sessile_redis::{RedisLocks, RedisServers, RedisStorage, RedisStorageBuilder, Shortfall};
use support::{fresh, fresh_pair, record};

const MINUTE: Duration = Duration::from_secs(60);

/// Runs the life of a session, with a waiter.
async fn works(builder: &RedisStorageBuilder) {
    let (one, two) = (
        builder.clone().connect().await.unwrap(),
        builder.clone().connect().await.unwrap(),
    );
    let (old, new) = fresh_pair();
    one.create(&old, record(&one, "x", Some(MINUTE))).await.unwrap();
    let mut locked = one.lock(&old, Duration::MAX).await.unwrap().found().unwrap();
    one.renew(&locked.lock.id()).await.unwrap();
    let commit = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        one.commit(&mut locked.lock, record(&one, "y", Some(MINUTE)))
            .await
            .unwrap();
    };
    let (mut locked, ()) = tokio::join!(
        async { two.lock(&old, Duration::MAX).await.unwrap().found().unwrap() },
        commit
    );
    let next = record(&two, "z", Some(MINUTE));
    two.rotate(&mut locked.lock, &new, next, Duration::MAX).await.unwrap();
    assert!(one.destroy(&old).await.unwrap().is_found());
}

#[tokio::test]
async fn durations_above_a_century_count_as_a_century() {
    let server = RedisServer::start();
    let single = || RedisStorage::builder(server.url());
    for builder in [
        RedisStorage::builder(RedisServers::single(server.url()).timeout(Duration::MAX)),
        single().lease(Duration::MAX),
        single().poll(Duration::MAX),
        single().tombstone_ttl(Duration::MAX),
        // There is no replica, and no call waits that long for one.
        single().durable(0, Duration::MAX).on_shortfall(Shortfall::Count),
    ] {
        works(&builder).await;
    }
    let locks = RedisLocks::builder(RedisServers::single(server.url()).timeout(Duration::MAX));
    let locks = locks.lease(Duration::MAX).poll(Duration::MAX).connect().await.unwrap();
    let lock = locks.acquire(&fresh(), Duration::MAX).await.unwrap();
    locks.renew(&lock.id()).await.unwrap();
    locks.release(lock).await.unwrap();
}

#[tokio::test]
async fn durations_of_zero_are_refused_with_a_reason() {
    let server = RedisServer::start();
    let single = || RedisStorage::builder(server.url());
    let no_time = RedisServers::single(server.url()).timeout(Duration::ZERO);
    for (builder, reason) in [
        (RedisStorage::builder(no_time), "timeout"),
        (single().lease(Duration::ZERO), "lease"),
        (single().lease(Duration::from_nanos(1)), "lease"),
        (single().poll(Duration::ZERO), "poll"),
        (single().durable(1, Duration::ZERO), "replicas"),
    ] {
        let error = builder.connect().await.unwrap_err();
        assert_eq!(
            (error.operation(), error.kind()),
            ("connect", StorageErrorKind::Unsupported)
        );
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(reason), "{source}");
    }
    works(&single().tombstone_ttl(Duration::ZERO)).await;
}
