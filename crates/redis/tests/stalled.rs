//! Servers and processes that are suspended for a while: no lock is held without its holder knowing.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile_core::{Lookup, SessionKey, Storage, StorageErrorKind};
use sessile_lab::process::{ChildProcess, role, send};
use sessile_lab::redis::{Proxy, RedisServer, Reply};
use sessile_redis::{RedisServers, RedisStorage, RedisStorageBuilder};
use support::{fresh, payload, record, until};

const MINUTE: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_millis(500);

/// Returns a builder with a lease that does not end during a test.
fn patient(url: String) -> RedisStorageBuilder {
    RedisStorage::builder(RedisServers::single(url).timeout(TIMEOUT)).lease(MINUTE * 10)
}

/// Locks a session, which must be possible before any lease has ended.
async fn is_usable(storage: &RedisStorage, key: &SessionKey) {
    let locked = storage.lock(key, MINUTE).await.unwrap().found().unwrap();
    storage.release(locked.lock).await.unwrap();
}

#[tokio::test]
async fn sessions_are_usable_as_soon_as_a_suspended_server_continues() {
    let server = RedisServer::start();
    let (visitors, other) = (
        Arc::new(patient(server.url()).connect().await.unwrap()),
        RedisStorage::connect(server.url()).await.unwrap(),
    );
    let keys: Vec<_> = (0..100).map(|_| fresh()).collect();
    for key in &keys {
        other.create(key, record(&other, "x", None)).await.unwrap();
    }
    is_usable(&visitors, &keys[0]).await;
    server.pause();
    let visits: Vec<_> = keys
        .iter()
        .map(|key| {
            let (visitors, key) = (Arc::clone(&visitors), *key);
            tokio::spawn(async move { visitors.lock(&key, MINUTE).await.map(drop) })
        })
        .collect();
    for visit in visits {
        assert_eq!(visit.await.unwrap().unwrap_err().kind(), StorageErrorKind::Timeout);
    }
    // The server is suspended until the releases of the visitors have timed out as well.
    tokio::time::sleep(TIMEOUT * 3).await;
    server.resume();
    for key in &keys {
        is_usable(&other, key).await;
    }
}

#[tokio::test]
async fn a_late_request_takes_no_lock() {
    let server = RedisServer::start();
    let (late, other) = (
        patient(server.url()).connect().await.unwrap(),
        RedisStorage::connect(server.url()).await.unwrap(),
    );
    let key = fresh();
    other.create(&key, record(&other, "x", None)).await.unwrap();
    is_usable(&late, &key).await;
    let changes = server.calls("setrange");
    server.pause();
    let error = late.lock(&key, MINUTE).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Timeout);
    server.resume();
    is_usable(&other, &key).await;
    assert_eq!(
        server.calls("setrange") - changes,
        2,
        "the other has taken it and given it back"
    );
}

/// A network delivers late what its sender gave up long before.
#[tokio::test]
async fn a_late_creation_creates_nothing() {
    let server = RedisServer::start();
    let (late, other) = (
        patient(server.url()).connect().await.unwrap(),
        RedisStorage::connect(server.url()).await.unwrap(),
    );
    // The script is loaded from here on.
    other.create(&fresh(), record(&other, "x", None)).await.unwrap();
    let key = fresh();
    let calls = server.calls("evalsha");
    server.pause();
    let error = late.create(&key, record(&late, "x", None)).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Timeout);
    tokio::time::sleep(TIMEOUT * 2).await;
    server.resume();
    until("it has come", || server.calls("evalsha") > calls).await;
    assert_eq!(payload(&other, &key).await, Lookup::Missing);
}

#[tokio::test]
async fn a_lock_is_released_as_soon_as_the_server_can_be_reached_again() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let (far, near) = (
        patient(proxy.url()).connect().await.unwrap(),
        RedisStorage::connect(server.url()).await.unwrap(),
    );
    let key = fresh();
    near.create(&key, record(&near, "x", None)).await.unwrap();
    let held = far.lock(&key, MINUTE).await.unwrap().found().unwrap();
    proxy.cut();
    drop(held);
    // The release is attempted, and fails.
    tokio::time::sleep(Duration::from_millis(100)).await;
    proxy.heal();
    is_usable(&near, &key).await;
}

#[tokio::test]
async fn a_queue_entry_is_removed_as_soon_as_the_server_can_be_reached_again() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let (far, near) = (
        Arc::new(patient(proxy.url()).poll(MINUTE).connect().await.unwrap()),
        patient(server.url()).connect().await.unwrap(),
    );
    let key = fresh();
    near.create(&key, record(&near, "x", None)).await.unwrap();
    let held = near.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let waiting = tokio::spawn({
        let far = Arc::clone(&far);
        async move { far.lock(&key, MINUTE).await.map(drop) }
    });
    queued(&server, 1).await;
    proxy.go_silent();
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    // The release is attempted, and fails.
    tokio::time::sleep(TIMEOUT * 3).await;
    proxy.heal();
    queued(&server, 0).await;
    near.release(held.lock).await.unwrap();
    is_usable(&near, &key).await;
}

/// Waits until this many processes have entries in the only queue.
async fn queued(server: &RedisServer, processes: usize) {
    until("in the queue", || {
        let names = server.command(&["KEYS", "*:wait"]);
        let length = |name: &Reply| server.command(&["LLEN", &name.text()]).text();
        names.items().first().map_or("0".to_owned(), length) == processes.to_string()
    })
    .await;
}

const LEASE: Duration = Duration::from_secs(3);

/// Runs in a child process: waits for the lock of the session that the folder names.
fn wait_for_ever(folder: PathBuf) {
    let text = std::fs::read_to_string(folder.join("place")).unwrap();
    let (url, key) = text.split_once(' ').unwrap();
    let (key, runtime) = (key.parse().unwrap(), tokio::runtime::Runtime::new().unwrap());
    runtime.block_on(async {
        let storage = RedisStorage::builder(url).lease(LEASE).connect().await.unwrap();
        send("here");
        drop(storage.lock(&key, MINUTE * 10).await);
    });
}

#[test]
fn processes_that_are_stopped_while_they_wait_cost_one_lease_in_all() {
    const PROCESSES: usize = 6;
    if let Some((_, folder)) = role() {
        return wait_for_ever(folder);
    }
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let storage = RedisStorage::builder(server.url())
            .lease(LEASE)
            .connect()
            .await
            .unwrap();
        let key = fresh();
        storage.create(&key, record(&storage, "", None)).await.unwrap();
        std::fs::write(server.folder().join("place"), format!("{} {key}", server.url())).unwrap();
        let mut held = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
        let this = "processes_that_are_stopped_while_they_wait_cost_one_lease_in_all";
        let players: Vec<_> = (0..PROCESSES)
            .map(|_| ChildProcess::start(this, "waiter", server.folder()))
            .collect();
        for player in &players {
            assert_eq!(player.receive(), "here");
            storage.renew(&held.lock.id()).await.unwrap();
        }
        while server.command(&["KEYS", "*:wait"]).items().is_empty()
            || server
                .command(&["LLEN", &server.command(&["KEYS", "*:wait"]).items()[0].text()])
                .text()
                != PROCESSES.to_string()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
            storage.renew(&held.lock.id()).await.unwrap();
        }
        for player in &players {
            player.signal("STOP");
        }
        let start = Instant::now();
        for number in 0..=PROCESSES {
            storage
                .commit(&mut held.lock, record(&storage, &number.to_string(), None))
                .await
                .unwrap();
            held = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
        }
        let outage = start.elapsed();
        assert!(outage < LEASE * 2, "{outage:?}");
        drop(players);
    });
}

/// A process that got a lock by asking has no entry in the queue any more, whether or not it has a subscription.
#[tokio::test]
async fn a_queue_entry_is_removed_when_a_process_without_a_subscription_takes_the_lock() {
    let server = RedisServer::start();
    let user = |more: &[&str]| {
        let order = [
            &["ACL", "SETUSER", "sessions", "on", ">secret", "~*", "&*", "+@all"],
            more,
        ]
        .concat();
        assert_eq!(server.command(&order).text(), "OK");
    };
    user(&[]);
    let one = RedisStorage::builder(server.url()).lease(Duration::from_secs(2));
    let (one, other) = (
        one.connect().await.unwrap(),
        patient(server.url()).connect().await.unwrap(),
    );
    let servers = RedisServers::single(server.url())
        .username("sessions")
        .password("secret");
    let two = RedisStorage::builder(servers).poll(MINUTE).lease(MINUTE * 10);
    let two = Arc::new(two.connect().await.unwrap());
    let (key, busy) = (fresh(), fresh());
    for key in [&key, &busy] {
        one.create(key, record(&one, "", None)).await.unwrap();
    }
    let waiter = |key: SessionKey| {
        let two = Arc::clone(&two);
        tokio::spawn(async move { two.lock(&key, MINUTE * 5).await.unwrap().found().unwrap() })
    };
    // It waits, subscribed, for a lock that ends with its lease. Before that, the process loses its subscription.
    let vanished = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let waiting = waiter(key);
    queued(&server, 1).await;
    user(&["-ssubscribe"]);
    server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    let mut locked = waiting.await.unwrap();
    assert_eq!(server.command(&["KEYS", "*:wait"]).items(), []);
    // It can subscribe again when it has to wait for another session.
    user(&[]);
    let held = other.lock(&busy, MINUTE).await.unwrap().found().unwrap();
    let listening = waiter(busy);
    until("listening", || {
        !server.command(&["PUBSUB", "SHARDCHANNELS"]).items().is_empty()
    })
    .await;
    two.commit(&mut locked.lock, record(&two, "two", None)).await.unwrap();
    is_usable(&other, &key).await;
    assert_eq!(payload(&one, &key).await, Lookup::Found("two".into()));
    other.release(held.lock).await.unwrap();
    drop((listening.await.unwrap(), vanished));
}
