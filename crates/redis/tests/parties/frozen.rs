//! Processes freeze while they wait for a lock.

use std::path::Path;
use std::time::{Duration, Instant};

use sessile_core::{SessionKey, Storage};
use sessile_lab::process::{ChildProcess, role, send};
use sessile_lab::redis::RedisServer;
use sessile_redis::{RedisServers, RedisStorage};

use crate::support::{eventually, fresh};
use crate::visits::{MINUTE, create, process, queued, visit};

const LEASE: Duration = Duration::from_secs(4);
const FROZEN: usize = 6;

/// At most one lease, and time for a busy machine.
const OUTAGE: Duration = Duration::from_secs(9);

async fn connect(url: &str) -> RedisStorage {
    let storage = RedisStorage::builder(RedisServers::single(url)).lease(LEASE);
    storage.connect().await.expect("a connection")
}

/// Runs a waiting process, which is told a server and a session.
async fn wait(orders: &str) {
    let (url, key) = orders.split_once(' ').expect("a server and a session");
    let (storage, key) = (connect(url).await, key.parse::<SessionKey>().expect("a session"));
    send("waiting");
    let locked = storage.lock(&key, 10 * MINUTE).await.unwrap().found().unwrap();
    send("granted");
    storage.release(locked.lock).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_waiters_keep_a_session_for_one_lease_in_all() {
    if let Some((orders, _)) = role() {
        return wait(&orders).await;
    }
    let server = RedisServer::start();
    let storage = connect(&server.url()).await;
    let (key, other) = (fresh(), fresh());
    for key in [&key, &other] {
        create(&storage, key).await.unwrap();
    }
    let mut held = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let name = "frozen::frozen_waiters_keep_a_session_for_one_lease_in_all";
    let orders = format!("{} {key}", server.url());
    let waiters: Vec<_> = (0..FROZEN)
        .map(|_| ChildProcess::start(name, &orders, Path::new(".")))
        .collect();
    for waiter in &waiters {
        assert_eq!(waiter.receive(), "waiting");
    }
    eventually("all wait", async || {
        // Starting so many processes takes longer than a lease.
        storage.renew(&held.lock.id()).await.unwrap();
        queued(&server) == i64::try_from(FROZEN).unwrap()
    })
    .await;
    for waiter in &waiters {
        waiter.signal("STOP");
    }
    storage.commit(&mut held.lock, held.record).await.unwrap();

    let another = process(&server.url()).await;
    let start = Instant::now();
    // Each of these visits hands the lock to the next waiter, if there is one.
    let waiting = tokio::spawn(async move {
        for _ in 0..2 * FROZEN {
            assert!(visit(&another, &key).await?);
        }
        Ok::<_, sessile_core::StorageError>(())
    });
    while !waiting.is_finished() {
        assert!(visit(&storage, &other).await.unwrap(), "other sessions do not notice");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let waited = start.elapsed();
    println!("{FROZEN} frozen waiters cost {waited:?}, with a lease of {LEASE:?}");
    waiting.await.unwrap().unwrap();
    assert!(
        waited < OUTAGE,
        "{FROZEN} frozen waiters cost {waited:?}, with a lease of {LEASE:?}"
    );

    // Processes that resume are served.
    for waiter in &waiters {
        waiter.signal("CONT");
    }
    for waiter in waiters {
        assert_eq!(waiter.receive(), "granted");
        waiter.finish();
    }
}
