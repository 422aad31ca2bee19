//! One server behind a name that leads to another after a failover, while connections to the first stay open.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::{Duration, Instant};

use sessile_core::{Lookup, Storage, StorageErrorKind};
use sessile_lab::redis::RedisServer;
use sessile_redis::{RedisServers, RedisStorage};
use support::{eventually, fresh, payload, record};

const MINUTE: Duration = Duration::from_secs(60);

/// A host name: new connections lead to its present server, and existing ones stay where they are.
struct Name {
    port: u16,
    target: Arc<AtomicU16>,
    ended: Arc<AtomicBool>,
}

impl Name {
    fn of(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = Arc::new(AtomicU16::new(server.port()));
        let ended = Arc::new(AtomicBool::new(false));
        let name = Self {
            port,
            target: Arc::clone(&target),
            ended: Arc::clone(&ended),
        };
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let server = TcpStream::connect(("127.0.0.1", target.load(Ordering::SeqCst)));
                if let (Ok(client), Ok(server)) = (client, server) {
                    let pair = (client.try_clone().unwrap(), server.try_clone().unwrap());
                    std::thread::spawn(move || pass_on(client, server));
                    std::thread::spawn(move || pass_on(pair.1, pair.0));
                }
            }
        });
        name
    }

    fn point_to(&self, server: &RedisServer) {
        self.target.store(server.port(), Ordering::SeqCst);
    }

    fn servers(&self) -> RedisServers {
        RedisServers::single(format!("redis://127.0.0.1:{}", self.port))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let _ = to.set_nodelay(true);
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Starts a primary and a replica in sync.
async fn pair() -> [RedisServer; 2] {
    let primary = RedisServer::start_with(&["repl-diskless-sync-delay 0"]);
    let replica = RedisServer::start_with(&[&format!("replicaof 127.0.0.1 {}", primary.port())]);
    support::until("the replica follows", || {
        replica.info("replication", "master_link_status").as_deref() == Some("up")
    })
    .await;
    [primary, replica]
}

/// Fails over as an operator does: the replica takes over, the primary follows it, and no connection is closed.
async fn fail_over(primary: &RedisServer, replica: &RedisServer) {
    let offset = |server: &RedisServer, field| server.info("replication", field);
    support::until("the replica has everything", || {
        offset(primary, "master_repl_offset") == offset(replica, "slave_repl_offset")
    })
    .await;
    replica.command(&["REPLICAOF", "NO", "ONE"]);
    primary.command(&["REPLICAOF", "127.0.0.1", &replica.port().to_string()]);
}

#[tokio::test]
async fn a_planned_failover_costs_no_call() {
    let [primary, replica] = pair().await;
    let name = Name::of(&primary);
    let storage = RedisStorage::connect(name.servers()).await.unwrap();
    let (key, other) = (fresh(), fresh());
    for key in [&key, &other] {
        storage
            .create(key, record(&storage, "one", Some(MINUTE)))
            .await
            .unwrap();
    }
    fail_over(&primary, &replica).await;
    name.point_to(&replica);
    // Each writing operation is the first to notice, in turn.
    let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    fail_over(&replica, &primary).await;
    name.point_to(&primary);
    storage
        .commit(&mut locked.lock, record(&storage, "two", Some(MINUTE)))
        .await
        .unwrap();
    fail_over(&primary, &replica).await;
    name.point_to(&replica);
    assert_eq!(storage.destroy(&other).await.unwrap(), Lookup::Found(()));
    fail_over(&replica, &primary).await;
    name.point_to(&primary);
    storage.create(&fresh(), record(&storage, "x", None)).await.unwrap();
    assert_eq!(payload(&storage, &key).await, Lookup::Found("two".into()));
}

#[tokio::test]
async fn a_process_that_only_reads_notices_within_about_a_second() {
    let [primary, replica] = pair().await;
    let name = Name::of(&primary);
    let reader = RedisStorage::connect(name.servers()).await.unwrap();
    let writer = RedisStorage::connect(replica.url()).await.unwrap();
    let key = fresh();
    reader.create(&key, record(&reader, "x", Some(MINUTE))).await.unwrap();
    fail_over(&primary, &replica).await;
    name.point_to(&replica);
    // The demoted server must never receive the logout.
    primary.command(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_eq!(writer.destroy(&key).await.unwrap(), Lookup::Found(()));
    let logged_out = Instant::now();
    eventually("the logout is seen", async || {
        let begin = Instant::now();
        let found = reader.read(&key).await.unwrap();
        // Reads that begin after the bound do not see it, without exception.
        assert!(
            !found.is_found() || begin.duration_since(logged_out) < Duration::from_millis(2_000),
            "still there after {:?}",
            logged_out.elapsed()
        );
        !found.is_found()
    })
    .await;
}

#[tokio::test]
async fn the_first_read_after_a_pause_is_not_outdated() {
    let [primary, replica] = pair().await;
    let name = Name::of(&primary);
    let reader = RedisStorage::connect(name.servers()).await.unwrap();
    let writer = RedisStorage::connect(replica.url()).await.unwrap();
    let key = fresh();
    reader.create(&key, record(&reader, "x", Some(MINUTE))).await.unwrap();
    assert!(reader.read(&key).await.unwrap().is_found());
    fail_over(&primary, &replica).await;
    name.point_to(&replica);
    primary.command(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_eq!(writer.destroy(&key).await.unwrap(), Lookup::Found(()));
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(reader.read(&key).await.unwrap(), Lookup::Missing);
}

#[tokio::test]
async fn the_first_lock_and_touch_after_a_pause_are_not_outdated() {
    for touches in [false, true] {
        let [primary, replica] = pair().await;
        let name = Name::of(&primary);
        let storage = RedisStorage::connect(name.servers()).await.unwrap();
        let other = RedisStorage::connect(replica.url()).await.unwrap();
        fail_over(&primary, &replica).await;
        name.point_to(&replica);
        // The demoted server must never receive the session.
        primary.command(&["REPLICAOF", "127.0.0.1", "1"]);
        let key = fresh();
        other.create(&key, record(&other, "x", Some(MINUTE))).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        if touches {
            let (version, now) = (record(&other, "x", None).meta.version, storage.clock().now());
            assert!(storage.touch(&key, version, Some(now + MINUTE), now).await.unwrap());
        } else {
            let locked = storage.lock(&key, MINUTE).await.unwrap();
            storage.release(locked.found().unwrap().lock).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_late_name_change_is_awaited_without_a_storm() {
    let [primary, replica] = pair().await;
    let name = Name::of(&primary);
    let storage = Arc::new(
        RedisStorage::connect(name.servers().timeout(Duration::from_secs(20)))
            .await
            .unwrap(),
    );
    fail_over(&primary, &replica).await;
    let connections = || -> u64 {
        let received = primary.info("stats", "total_connections_received").unwrap();
        received.trim().parse().unwrap()
    };
    let before = connections();
    let writers = (0..20).map(|_| {
        let storage = Arc::clone(&storage);
        tokio::spawn(async move { storage.create(&fresh(), record(&storage, "x", None)).await })
    });
    let writers: Vec<_> = writers.collect();
    tokio::time::sleep(Duration::from_millis(700)).await;
    let made = connections() - before;
    name.point_to(&replica);
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert!(made < 40, "{made} connections");
}

#[tokio::test]
async fn a_server_that_stays_a_replica_is_an_error() {
    let [_primary, replica] = pair().await;
    let servers = RedisServers::single(replica.url()).timeout(Duration::from_secs(3));
    let storage = RedisStorage::connect(servers).await.unwrap();
    let error = storage.create(&fresh(), record(&storage, "x", None)).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Unavailable, "{error:?}");
    let error = storage.read(&fresh()).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Unavailable, "{error:?}");
}

/// A process that subscribed at the former primary is still subscribed there, at a replica now. The primary has no
/// subscriber, and grants the lock to the next process. If the replica delivered the message, two processes would hold
/// the lock.
#[tokio::test]
async fn a_lock_is_not_granted_by_way_of_a_replica() {
    let [primary, replica] = pair().await;
    let connect = || RedisStorage::builder(primary.url()).poll(MINUTE).connect();
    let (one, other) = (connect().await.unwrap(), Arc::new(connect().await.unwrap()));
    let key = fresh();
    one.create(&key, record(&one, "x", None)).await.unwrap();
    let mut locked = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let waiting = tokio::spawn({
        let other = Arc::clone(&other);
        async move { other.lock(&key, MINUTE).await.unwrap().found().unwrap() }
    });
    let queue = || !primary.command(&["KEYS", "*:wait"]).items().is_empty();
    support::until("it waits", queue).await;
    one.commit(&mut locked.lock, record(&one, "y", None)).await.unwrap();
    other.release(waiting.await.unwrap().lock).await.unwrap();
    assert_eq!(primary.calls("spublish"), 1);
    let offset = |server: &RedisServer, field| server.info("replication", field);
    support::until("the replica has everything", || {
        offset(&primary, "master_repl_offset") == offset(&replica, "slave_repl_offset")
    })
    .await;
    assert_eq!(replica.calls("spublish"), 0);
}
