//! Commands that are sent to a server together, and the number of connections they use.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Lookup, Storage, StorageErrorKind};
use sessile_lab::redis::{RedisCluster, RedisSentinel, RedisServer};
use sessile_redis::{RedisServers, RedisStorage};
use support::{fresh, payload, record};

const MINUTE: Duration = Duration::from_secs(60);
const TASKS: usize = 32;
const READS: usize = 200;

/// Returns how many commands arrive with one `read()` of the server while tasks on one thread read as fast as they can.
fn commands_per_read(server: &RedisServer, servers: RedisServers, tasks: usize) -> f64 {
    // A thread of such a runtime runs the most recently woken task first. A runtime without threads would not.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let reads = || {
        server
            .info("stats", "total_reads_processed")
            .unwrap()
            .parse::<f64>()
            .unwrap()
    };
    runtime.block_on(async {
        let storage = Arc::new(RedisStorage::connect(servers).await.unwrap());
        let key = fresh();
        storage.create(&key, record(&storage, "x", None)).await.unwrap();
        let before = reads();
        let reading: Vec<_> = (0..tasks)
            .map(|_| {
                let storage = Arc::clone(&storage);
                tokio::spawn(async move {
                    for _ in 0..READS {
                        assert_eq!(payload(&storage, &key).await, Lookup::Found("x".into()));
                    }
                })
            })
            .collect();
        for task in reading {
            task.await.unwrap();
        }
        (tasks * READS) as f64 / (reads() - before)
    })
}

#[test]
fn commands_of_one_moment_are_sent_together() {
    let server = RedisServer::start();
    let together = commands_per_read(&server, server.url().into(), TASKS);
    assert!(together > 8.0, "{together} commands a read");
    let socket = RedisServers::single(format!("redis+unix://{}", server.socket().display()));
    let together = commands_per_read(&server, socket, TASKS);
    assert!(together > 8.0, "{together} commands a read by a socket");
    let alone = commands_per_read(&server, server.url().into(), 1);
    assert!(alone < 1.1, "{alone} commands a read of one task");
}

/// Returns the number of client connections whose last command has this name.
fn connections(server: &RedisServer, command: &str) -> usize {
    let clients = server.command(&["CLIENT", "LIST"]).text();
    let last = format!("cmd={command} ");
    clients.lines().filter(|line| line.contains(&last)).count()
}

#[tokio::test]
async fn sessions_are_spread_over_the_configured_connections() {
    for wanted in [1, 3] {
        let server = RedisServer::start();
        let servers = RedisServers::single(server.url()).connections(wanted);
        let storage = RedisStorage::connect(servers).await.unwrap();
        for _ in 0..64 {
            let key = fresh();
            assert_eq!(payload(&storage, &key).await, Lookup::Missing);
            storage.create(&key, record(&storage, "x", Some(MINUTE))).await.unwrap();
            let locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
            storage.release(locked.lock).await.unwrap();
        }
        for _ in 0..64 {
            assert_eq!(payload(&storage, &fresh()).await, Lookup::Missing);
        }
        assert_eq!(connections(&server, "get"), wanted);
    }
}

#[test]
fn two_connections_suffice_for_many_threads() {
    for (threads, wanted) in [(1, 1), (2, 2), (4, 2)] {
        let server = RedisServer::start();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let storage = RedisStorage::connect(server.url()).await.unwrap();
            for _ in 0..64 {
                assert_eq!(payload(&storage, &fresh()).await, Lookup::Missing);
            }
            assert_eq!(connections(&server, "get"), wanted);
        });
    }
}

#[tokio::test]
async fn without_connections_nothing_is_connected() {
    let none = RedisServers::single("redis://127.0.0.1:1").connections(0);
    let error = RedisStorage::connect(none).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Unsupported, "{error:?}");
}

#[tokio::test]
async fn all_connections_follow_the_primary() {
    let group = RedisSentinel::start();
    let servers = RedisServers::sentinel(group.urls(), group.name()).connections(3);
    let storage = RedisStorage::connect(servers).await.unwrap();
    let keys: Vec<_> = (0..32).map(|_| fresh()).collect();
    for key in &keys {
        storage.create(key, record(&storage, "x", Some(MINUTE))).await.unwrap();
    }
    group.fail_over();
    for key in &keys {
        let start = std::time::Instant::now();
        loop {
            // A write, so no replica can have replied.
            match storage.lock(key, Duration::ZERO).await {
                Ok(locked) => {
                    storage.release(locked.found().unwrap().lock).await.unwrap();
                    break;
                }
                Err(error) => assert!(start.elapsed() < MINUTE, "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn each_cluster_node_has_the_configured_connections() {
    let cluster = RedisCluster::start();
    let servers = RedisServers::cluster(cluster.urls()).connections(2);
    let storage = RedisStorage::connect(servers).await.unwrap();
    for _ in 0..128 {
        assert_eq!(payload(&storage, &fresh()).await, Lookup::Missing);
    }
    for slot in [0, 8_000, 16_000] {
        let node = &cluster.nodes()[cluster.owner(slot)];
        assert_eq!(connections(node, "get"), 2);
    }
}
