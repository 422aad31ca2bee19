//! Servers that are dead, frozen, loading, full, unreachable or unwilling: calls fail in time, and recover by
//! themselves.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile_core::{Lookup, Storage, StorageError, StorageErrorKind, Timestamp};
use sessile_lab::redis::{Proxy, RedisServer};
use sessile_redis::{Finding, RedisLocks, RedisServers, RedisStorage, RedisStorageBuilder};
use support::{fresh, fresh_pair, payload, record};

const MINUTE: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_millis(300);
/// The time limit of calls that must not take longer than [`TIMEOUT`], on a busy machine.
const IN_TIME: Duration = Duration::from_secs(5);

fn impatient(url: &str) -> RedisStorageBuilder {
    RedisStorage::builder(RedisServers::single(url).timeout(TIMEOUT))
}

/// Calls every operation in turn, and returns their errors. None may take longer than the timeout.
async fn every_operation(storage: &RedisStorage) -> Vec<(&'static str, StorageErrorKind)> {
    let (key, other) = fresh_pair();
    let record = record(storage, "x", None);
    let forged = || {
        struct IgnoreReleases;
        impl sessile_core::Unlock for IgnoreReleases {
            fn unlock(&self, _: sessile_core::LockId) {}
        }
        let token = sessile_core::LockToken::from_bytes([7; 16]);
        sessile_core::Lock::new(sessile_core::LockId::new(key, token), MINUTE, Arc::new(IgnoreReleases))
    };
    let mut failures = Vec::new();
    macro_rules! call {
        ($name:literal, $call:expr) => {
            let start = Instant::now();
            let outcome: Result<(), StorageError> = $call.await.map(drop);
            assert!(start.elapsed() < IN_TIME, "{} took {:?}", $name, start.elapsed());
            let error = outcome.expect_err($name);
            assert_eq!(error.operation(), $name);
            failures.push(($name, error.kind()));
        };
    }
    call!("read", storage.read(&key));
    call!("lock", storage.lock(&key, MINUTE));
    call!("create", storage.create(&key, record.clone()));
    call!("commit", storage.commit(&mut forged(), record.clone()));
    call!(
        "rotate",
        storage.rotate(&mut forged(), &other, record.clone(), Duration::ZERO)
    );
    call!("release", storage.release(forged()));
    call!("renew", storage.renew(&forged().id()));
    call!("touch", storage.touch(&key, 1, None, Timestamp::MAX));
    call!("destroy", storage.destroy(&key));
    call!("scan", storage.scan(None, 10));
    failures
}

fn all(failures: &[(&'static str, StorageErrorKind)], kind: StorageErrorKind) {
    assert!(failures.iter().all(|(_, other)| *other == kind), "{failures:?}");
}

/// Runs the whole life of a session.
async fn works(storage: &RedisStorage) {
    let key = fresh();
    storage
        .create(&key, record(storage, "one", Some(MINUTE)))
        .await
        .unwrap();
    let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    storage
        .commit(&mut locked.lock, record(storage, "two", Some(MINUTE)))
        .await
        .unwrap();
    assert_eq!(payload(storage, &key).await, Lookup::Found("two".into()));
    assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Found(()));
}

#[tokio::test]
async fn a_dead_server_is_an_error_and_a_restarted_one_is_found_again() {
    let mut server = RedisServer::start();
    let storage = impatient(&server.url()).connect().await.unwrap();
    works(&storage).await;
    server.kill();
    all(&every_operation(&storage).await, StorageErrorKind::Unavailable);
    assert_eq!(
        impatient(&server.url()).connect().await.unwrap_err().kind(),
        StorageErrorKind::Unavailable
    );
    server.restart();
    works(&storage).await;
}

#[tokio::test]
async fn a_restart_between_two_calls_is_not_noticed() {
    let mut server = RedisServer::start();
    let storage = impatient(&server.url()).connect().await.unwrap();
    for _ in 0..5 {
        works(&storage).await;
        server.restart();
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    works(&storage).await;
}

#[tokio::test]
async fn a_frozen_server_is_an_error_in_time() {
    let server = RedisServer::start();
    let storage = impatient(&server.url()).connect().await.unwrap();
    works(&storage).await;
    server.pause();
    all(&every_operation(&storage).await, StorageErrorKind::Timeout);
    assert_eq!(
        impatient(&server.url()).connect().await.unwrap_err().kind(),
        StorageErrorKind::Timeout
    );
    server.resume();
    works(&storage).await;
}

#[tokio::test]
async fn all_waiters_fail_when_the_server_is_gone() {
    let server = RedisServer::start();
    let poll = Duration::from_millis(100);
    let storage = Arc::new(impatient(&server.url()).poll(poll).connect().await.unwrap());
    let key = fresh();
    storage.create(&key, record(&storage, "x", None)).await.unwrap();
    let held = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move { storage.lock(&key, MINUTE).await.map(drop) })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.pause();
    let start = Instant::now();
    for task in waiting {
        assert_eq!(task.await.unwrap().unwrap_err().kind(), StorageErrorKind::Timeout);
    }
    assert!(start.elapsed() < poll + IN_TIME, "{:?}", start.elapsed());
    server.resume();
    drop(held);
    assert!(storage.lock(&key, MINUTE).await.unwrap().is_found());
}

#[tokio::test]
async fn a_loading_server_is_an_error() {
    let mut server = RedisServer::start_with(&["save 3600 1", "loading-process-events-interval-bytes 1024"]);
    let storage = impatient(&server.url()).connect().await.unwrap();
    for _ in 0..200 {
        storage
            .create(&fresh(), record(&storage, &"x".repeat(100), None))
            .await
            .unwrap();
    }
    server.command(&["CONFIG", "SET", "key-load-delay", "10000"]);
    server.command(&["CONFIG", "REWRITE"]);
    server.command(&["SAVE"]);
    server.kill();
    server.launch_again();
    let mut loading = 0;
    let start = Instant::now();
    loop {
        match storage.read(&fresh()).await {
            Ok(_) => break,
            Err(error) => {
                // The call waits for it, and a loading server may take longer to say so than this call waits.
                let kinds = [StorageErrorKind::Unavailable, StorageErrorKind::Timeout];
                assert!(kinds.contains(&error.kind()), "{error:?}");
                loading += usize::from(format!("{error:?}").contains("BusyLoading"));
            }
        }
        assert!(start.elapsed() < MINUTE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(loading > 0, "the server was never seen loading");
    works(&storage).await;
}

#[tokio::test]
async fn a_cut_connection_is_an_error_and_a_restored_one_is_used_at_once() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let storage = impatient(&proxy.url()).connect().await.unwrap();
    works(&storage).await;
    proxy.cut();
    all(&every_operation(&storage).await, StorageErrorKind::Unavailable);
    proxy.heal();
    works(&storage).await;
}

#[tokio::test]
async fn a_silent_connection_is_an_error_in_time() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let storage = impatient(&proxy.url()).connect().await.unwrap();
    works(&storage).await;
    proxy.go_silent();
    all(&every_operation(&storage).await, StorageErrorKind::Timeout);
    proxy.heal();
    works(&storage).await;
}

#[tokio::test]
async fn a_high_latency_causes_no_failures() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    proxy.delay(Duration::from_millis(25));
    let storage = impatient(&proxy.url()).connect().await.unwrap();
    works(&storage).await;
}

#[tokio::test]
async fn killed_connections_are_replaced() {
    let server = RedisServer::start();
    let storage = Arc::new(impatient(&server.url()).connect().await.unwrap());
    let worker = tokio::spawn({
        let storage = Arc::clone(&storage);
        async move {
            let mut errors = 0;
            for _ in 0..500 {
                match storage.read(&fresh()).await {
                    Ok(found) => assert_eq!(found, Lookup::Missing),
                    Err(error) => {
                        assert_eq!(error.kind(), StorageErrorKind::Unavailable);
                        errors += 1;
                    }
                }
                tokio::task::yield_now().await;
            }
            errors
        }
    });
    while !worker.is_finished() {
        server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Reads are repeated, and fail only if the second attempt is cut off as well.
    assert!(worker.await.unwrap() < 250);
    works(&storage).await;
}

#[tokio::test]
async fn a_full_server_refuses_writes_and_serves_reads() {
    let server = RedisServer::start_with(&["maxmemory-policy noeviction"]);
    let storage = impatient(&server.url()).connect().await.unwrap();
    let (key, locked_key) = (fresh(), fresh());
    for key in [&key, &locked_key] {
        storage.create(key, record(&storage, "one", None)).await.unwrap();
    }
    let mut locked = storage.lock(&locked_key, MINUTE).await.unwrap().found().unwrap();
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let full = StorageErrorKind::Full;
    assert_eq!(
        storage
            .create(&fresh(), record(&storage, "x", None))
            .await
            .unwrap_err()
            .kind(),
        full
    );
    assert_eq!(storage.lock(&key, MINUTE).await.unwrap_err().kind(), full);
    let two = record(&storage, "two", None);
    assert_eq!(
        storage.commit(&mut locked.lock, two.clone()).await.unwrap_err().kind(),
        full
    );
    assert_eq!(payload(&storage, &locked_key).await, Lookup::Found("one".into()));
    // Logging out frees memory.
    assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Found(()));

    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    storage.commit(&mut locked.lock, two).await.unwrap();
    assert_eq!(payload(&storage, &locked_key).await, Lookup::Found("two".into()));
}

#[tokio::test]
async fn settings_that_lose_sessions_are_found() {
    let server = RedisServer::start_with(&["maxmemory 100mb", "maxmemory-policy allkeys-lru"]);
    let storage = RedisStorage::builder(server.url())
        .durable(2, TIMEOUT)
        .connect()
        .await
        .unwrap();
    let address = format!("127.0.0.1:{}", server.port());
    let evicts = Finding::Evicts {
        server: address.clone(),
        policy: "allkeys-lru".into(),
        limit: 100 << 20,
    };
    let few = Finding::FewReplicas {
        server: address,
        wanted: 2,
        connected: 0,
    };
    assert_eq!(storage.check().await.unwrap(), [evicts, few]);

    let server = RedisServer::start_with(&["maxmemory 100mb", "maxmemory-policy noeviction"]);
    let storage = RedisStorage::connect(server.url()).await.unwrap();
    assert_eq!(storage.check().await.unwrap(), []);
}

#[tokio::test]
async fn a_replica_refuses_writes() {
    let primary = RedisServer::start();
    let replica = RedisServer::start_with(&[&format!("replicaof 127.0.0.1 {}", primary.port())]);
    let storage = impatient(&replica.url()).connect().await.unwrap();
    let error = storage.create(&fresh(), record(&storage, "x", None)).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Unavailable);
}

#[tokio::test]
async fn a_cluster_node_is_refused_as_a_single_server() {
    let node = RedisServer::start_with(&["cluster-enabled yes"]);
    let storage = RedisStorage::connect(node.url()).await.unwrap_err();
    let locks = RedisLocks::connect(node.url()).await.unwrap_err();
    for error in [storage, locks] {
        assert_eq!(
            (error.operation(), error.kind()),
            ("connect", StorageErrorKind::Unsupported)
        );
        let reason = std::error::Error::source(&error).unwrap().to_string();
        assert!(reason.contains("`RedisServers::cluster`"), "{reason}");
    }
}

#[tokio::test]
async fn connecting_refuses_unusable_settings() {
    let server = RedisServer::start();
    let refused = |error: StorageError| (error.operation(), error.kind());
    let error = RedisStorage::builder(server.url())
        .prefix("a{b}")
        .connect()
        .await
        .unwrap_err();
    assert_eq!(refused(error), ("connect", StorageErrorKind::Unsupported));
    let error = RedisStorage::connect("http://localhost").await.unwrap_err();
    assert_eq!(refused(error), ("connect", StorageErrorKind::Unsupported));
    let error = RedisStorage::connect(RedisServers::cluster(Vec::<String>::new()))
        .await
        .unwrap_err();
    assert_eq!(refused(error), ("connect", StorageErrorKind::Unsupported));
}
