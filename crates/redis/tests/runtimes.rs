//! Runtimes that end before the storage does, and locks that are dropped outside of any runtime.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Lookup, SessionKey, Storage};
use sessile_lab::redis::RedisServer;
use sessile_redis::{RedisServers, RedisStorage, RedisStorageBuilder};
use support::{fresh, payload, record};
use tokio::runtime::{Builder, Runtime};

const MINUTE: Duration = Duration::from_secs(60);
/// A lock that is released is free within this time, and one that is left to its lease is not.
const PROMPT: Duration = Duration::from_secs(20);

fn single() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Returns a builder with leases far longer than this test waits.
fn builder(server: &RedisServer) -> RedisStorageBuilder {
    let servers = RedisServers::single(server.url()).timeout(Duration::from_secs(10));
    RedisStorage::builder(servers).lease(MINUTE * 10).poll(MINUTE)
}

/// Returns a storage that was connected in this runtime, with one session.
fn connect(runtime: &Runtime, server: &RedisServer) -> (Arc<RedisStorage>, SessionKey) {
    runtime.block_on(async {
        let storage = Arc::new(builder(server).connect().await.unwrap());
        let key = fresh();
        storage.create(&key, record(&storage, "x", None)).await.unwrap();
        (storage, key)
    })
}

/// Fails if the lock is not released long before the lease is over.
fn assert_is_free(server: &RedisServer, key: &SessionKey, wait: Duration) {
    single().block_on(async {
        let other = builder(server).connect().await.unwrap();
        let locked = other.lock(key, wait).await.expect("the lock is free");
        other.release(locked.found().unwrap().lock).await.unwrap();
    });
}

#[test]
fn a_runtime_that_ends_fails_no_call_of_another() {
    let server = RedisServer::start();
    let first = single();
    let (storage, key) = connect(&first, &server);
    let other = first.block_on(async { Arc::new(builder(&server).connect().await.unwrap()) });
    drop(first);
    for make in [single, multi] {
        // There is a waiter, so that there is a subscription too.
        let next = make();
        next.block_on(async {
            let mut locked = other.lock(&key, PROMPT).await.unwrap().found().unwrap();
            let waiting = tokio::spawn({
                let storage = Arc::clone(&storage);
                async move { storage.lock(&key, PROMPT).await.unwrap().found().unwrap() }
            });
            support::until("a task waits", || server.calls("ssubscribe") > 0).await;
            other.commit(&mut locked.lock, record(&other, "y", None)).await.unwrap();
            let mut locked = waiting.await.unwrap();
            storage
                .commit(&mut locked.lock, record(&storage, "z", None))
                .await
                .unwrap();
            assert_eq!(payload(&storage, &key).await, Lookup::Found("z".into()));
        });
    }
    single().block_on(async {
        for storage in [&storage, &other] {
            assert_eq!(payload(storage, &key).await, Lookup::Found("z".into()));
            let mut locked = storage.lock(&key, PROMPT).await.unwrap().found().unwrap();
            storage
                .commit(&mut locked.lock, record(storage, "z", None))
                .await
                .unwrap();
        }
    });
}

/// Messages arrive on a connection that lives in the runtime of the first waiter.
#[test]
fn a_grant_arrives_although_the_runtime_of_the_subscription_has_ended() {
    let server = RedisServer::start();
    let (first, second) = (multi(), multi());
    let (storage, key) = connect(&first, &server);
    let (other, elsewhere) = connect(&second, &server);
    let hold = |key: SessionKey| second.block_on(other.lock(&key, PROMPT)).unwrap().found().unwrap();
    let (mut held, _held_elsewhere) = (hold(key), hold(elsewhere));
    let wait = |key: SessionKey| {
        let storage = Arc::clone(&storage);
        async move { storage.lock(&key, MINUTE * 5).await.unwrap().found().unwrap() }
    };
    let in_the_queue = |number: usize| {
        let there = || server.command(&["KEYS", "*:wait"]).items().len() == number;
        second.block_on(support::until("in the queue", there));
    };
    first.spawn(wait(elsewhere));
    in_the_queue(1);
    let waiting = second.spawn(wait(key));
    in_the_queue(2);
    drop(first);
    second.block_on(async {
        let next = record(&other, "y", None);
        other.commit(&mut held.lock, next).await.unwrap();
        let locked = tokio::time::timeout(PROMPT, waiting)
            .await
            .expect("it is told")
            .unwrap();
        assert_eq!(locked.record.payload, "y");
    });
}

#[test]
fn connections_of_a_runtime_that_has_ended_are_not_used() {
    let server = RedisServer::start();
    let first = multi();
    let (storage, key) = connect(&first, &server);
    drop(first);
    single().block_on(async {
        // The first call is a write that must not be repeated.
        let locked = storage.create(&fresh(), record(&storage, "x", None)).await;
        locked.unwrap();
        assert_eq!(payload(&storage, &key).await, Lookup::Found("x".into()));
    });
}

#[test]
fn durable_writes_continue_after_the_runtime_that_sent_them() {
    let primary = RedisServer::start_with(&["repl-diskless-sync-delay 0"]);
    let replica = RedisServer::start_with(&[&format!("replicaof 127.0.0.1 {}", primary.port())]);
    let (first, second) = (multi(), multi());
    second.block_on(support::until("the replica follows", || {
        replica.info("replication", "master_link_status").as_deref() == Some("up")
    }));
    let storage = first.block_on(async {
        let storage = builder(&primary).durable(1, Duration::from_secs(30)).connect();
        Arc::new(storage.await.unwrap())
    });
    let keys: Vec<_> = (0..3).map(|_| fresh()).collect();
    first.block_on(async {
        for key in &keys {
            storage.create(key, record(&storage, "x", None)).await.unwrap();
        }
    });
    replica.pause();
    let logout = |key: SessionKey| {
        let storage = Arc::clone(&storage);
        async move { storage.destroy(&key).await }
    };
    // One is under way when its runtime ends, and another is queued after it.
    first.spawn(logout(keys[0]));
    second.block_on(support::until("it waits for the replica", || {
        primary.info("clients", "blocked_clients").as_deref().map(str::trim) == Some("1")
    }));
    let behind = second.spawn(logout(keys[1]));
    second.block_on(async { tokio::time::sleep(Duration::from_millis(100)).await });
    first.shutdown_background();
    replica.resume();
    second.block_on(async {
        assert_eq!(behind.await.unwrap().unwrap(), Lookup::Found(()));
        assert_eq!(logout(keys[2]).await.unwrap(), Lookup::Found(()));
    });
}

#[test]
fn a_lock_that_is_dropped_outside_any_runtime_is_free() {
    let server = RedisServer::start();
    let runtime = multi();
    let (storage, key) = connect(&runtime, &server);
    for _ in 0..2 {
        let locked = runtime.block_on(storage.lock(&key, PROMPT)).unwrap().found().unwrap();
        drop(locked);
        assert_is_free(&server, &key, PROMPT);
    }
}

#[test]
fn a_lock_that_is_dropped_in_another_runtime_is_free() {
    let server = RedisServer::start();
    let (first, second) = (single(), multi());
    let (storage, key) = connect(&first, &server);
    let locked = first.block_on(storage.lock(&key, PROMPT)).unwrap().found().unwrap();
    drop(first);
    second.block_on(async move { drop(locked) });
    assert_is_free(&server, &key, PROMPT);
    drop(storage);
}

#[test]
fn a_lock_that_is_dropped_after_its_runtime_is_free() {
    let server = RedisServer::start();
    let runtime = single();
    let (storage, key) = connect(&runtime, &server);
    let locked = runtime.block_on(storage.lock(&key, PROMPT)).unwrap().found().unwrap();
    drop(runtime);
    drop(locked);
    assert_is_free(&server, &key, PROMPT);
    drop(storage);
}

/// Like `#[tokio::main]`: the runtime ends with the visits that are under way, and then the process does.
#[test]
fn when_the_last_handle_is_gone_the_locks_of_visits_under_way_are_free() {
    let server = RedisServer::start();
    for make in [single, multi] {
        let runtime = make();
        let (storage, _) = connect(&runtime, &server);
        let keys: Vec<_> = (0..50).map(|_| fresh()).collect();
        let (begun, mut count) = tokio::sync::mpsc::unbounded_channel();
        for key in keys.clone() {
            let (storage, begun) = (Arc::clone(&storage), begun.clone());
            runtime.spawn(async move {
                storage.create(&key, record(&storage, "x", None)).await.unwrap();
                let _locked = storage.lock(&key, PROMPT).await.unwrap().found().unwrap();
                begun.send(()).unwrap();
                std::future::pending::<()>().await;
            });
        }
        runtime.block_on(async {
            for _ in &keys {
                count.recv().await.unwrap();
            }
        });
        drop(storage);
        drop(runtime);
        for key in &keys {
            assert_is_free(&server, key, Duration::ZERO);
        }
    }
}
