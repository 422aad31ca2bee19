//! Locks without sessions.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use sessile_core::StorageErrorKind;
use sessile_lab::redis::{RedisCluster, RedisServer};
use sessile_redis::{RedisLocks, RedisServers};
use support::fresh;

const MINUTE: Duration = Duration::from_secs(60);

/// Many tasks of two processes add to a number that only the locks protect.
async fn they_are_mutually_exclusive(one: RedisLocks, two: RedisLocks) {
    let key = fresh();
    let number = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let tasks: Vec<_> = (0..40)
        .map(|task| {
            let (locks, number) = (
                if task % 2 == 0 { one.clone() } else { two.clone() },
                Arc::clone(&number),
            );
            tokio::spawn(async move {
                let lock = locks.acquire(&key, MINUTE).await.unwrap();
                let read = number.load(std::sync::atomic::Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(2)).await;
                number.store(read + 1, std::sync::atomic::Ordering::SeqCst);
                assert!(locks.is_held(&lock.id()).await.unwrap());
                match task % 3 {
                    0 => drop(lock),
                    _ => locks.release(lock).await.unwrap(),
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(number.load(std::sync::atomic::Ordering::SeqCst), 40);
}

#[tokio::test]
async fn locks_are_exclusive_on_one_server_and_leave_nothing_behind() {
    let server = RedisServer::start();
    // They never poll, so only messages wake them.
    let connect = || RedisLocks::builder(server.url()).poll(MINUTE).connect();
    they_are_mutually_exclusive(connect().await.unwrap(), connect().await.unwrap()).await;
    support::until("released", || server.command(&["DBSIZE"]).text() == "0").await;
}

#[tokio::test]
async fn locks_are_exclusive_in_a_cluster() {
    let cluster = RedisCluster::start();
    let connect = || {
        RedisLocks::builder(RedisServers::cluster(cluster.urls()))
            .poll(MINUTE)
            .connect()
    };
    they_are_mutually_exclusive(connect().await.unwrap(), connect().await.unwrap()).await;
}

#[tokio::test]
async fn a_lease_ends_and_is_renewed() {
    let server = RedisServer::start();
    let lease = Duration::from_millis(200);
    let locks = RedisLocks::builder(server.url()).lease(lease).connect().await.unwrap();
    let key = fresh();
    let lock = locks.acquire(&key, MINUTE).await.unwrap();
    assert_eq!(lock.lease(), lease);
    for _ in 0..4 {
        tokio::time::sleep(lease / 2).await;
        locks.renew(&lock.id()).await.unwrap();
    }
    let next = locks.acquire(&key, MINUTE).await.unwrap();
    assert_eq!(
        locks.renew(&lock.id()).await.unwrap_err().kind(),
        StorageErrorKind::LockLost
    );
    assert!(!locks.is_held(&lock.id()).await.unwrap());
    locks.release(lock).await.unwrap();
    assert!(locks.is_held(&next.id()).await.unwrap());
}

#[tokio::test]
async fn waiting_is_bounded_in_time_and_number() {
    let server = RedisServer::start();
    let locks = RedisLocks::builder(server.url())
        .max_waiters(1)
        .connect()
        .await
        .unwrap();
    let key = fresh();
    let held = locks.acquire(&key, Duration::ZERO).await.unwrap();
    let error = locks.acquire(&key, Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(
        (error.operation(), error.kind()),
        ("acquire", StorageErrorKind::LockTimeout)
    );
    let waiting = tokio::spawn({
        let locks = locks.clone();
        async move { locks.acquire(&key, MINUTE).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let error = locks.acquire(&key, MINUTE).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::TooManyWaiters);
    drop(held);
    assert!(waiting.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_drain_releases_a_lock_that_is_still_held() {
    let server = RedisServer::start();
    let locks = RedisLocks::connect(server.url()).await.unwrap();
    let lock = locks.acquire(&fresh(), Duration::ZERO).await.unwrap();
    locks.drain(Duration::from_millis(10)).await;
    assert!(!locks.is_held(&lock.id()).await.unwrap());
}
