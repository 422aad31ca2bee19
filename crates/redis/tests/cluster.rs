//! A cluster: every slot, slots that move, nodes that fail.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sessile_core::{Lookup, SessionKey, Storage, StorageErrorKind};
use sessile_lab::redis::RedisCluster;
use sessile_redis::{RedisServers, RedisStorage};
use support::{eventually, fresh, fresh_pair, payload, record};

const MINUTE: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(1);

async fn connect(cluster: &RedisCluster) -> Arc<RedisStorage> {
    let servers = RedisServers::cluster(cluster.urls()).timeout(TIMEOUT);
    let builder = RedisStorage::builder(servers).poll(MINUTE);
    Arc::new(builder.connect().await.expect("a connection"))
}

fn slot(cluster: &RedisCluster, key: &SessionKey) -> u16 {
    let tag = format!("{{{}}}", key.shard());
    cluster.nodes()[0]
        .command(&["CLUSTER", "KEYSLOT", &tag])
        .text()
        .parse()
        .unwrap()
}

/// Returns a key that this node owns, and its slot.
fn key_on(cluster: &RedisCluster, node: usize) -> (SessionKey, u16) {
    loop {
        let key = fresh();
        let slot = slot(cluster, &key);
        if cluster.owner(slot) == node {
            return (key, slot);
        }
    }
}

#[tokio::test]
async fn sessions_are_on_all_nodes_and_each_is_whole_on_one() {
    let cluster = RedisCluster::start();
    let storage = connect(&cluster).await;
    let mut nodes = BTreeSet::new();
    for _ in 0..30 {
        let (old, new) = fresh_pair();
        nodes.insert(cluster.owner(slot(&cluster, &old)));
        storage
            .create(&old, record(&storage, "one", Some(MINUTE)))
            .await
            .unwrap();
        let mut locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
        let next = record(&storage, "two", Some(MINUTE));
        storage
            .rotate(&mut locked.lock, &new, next, Duration::ZERO)
            .await
            .unwrap();
        assert_eq!(storage.read(&old).await.unwrap(), Lookup::Superseded);
        assert_eq!(payload(&storage, &new).await, Lookup::Found("two".into()));
    }
    assert_eq!(nodes.len(), 3);
}

#[tokio::test]
async fn one_node_is_enough_to_find_the_others() {
    let cluster = RedisCluster::start();
    let urls = ["redis://127.0.0.1:1".to_owned(), cluster.nodes()[4].url()];
    let storage = RedisStorage::connect(RedisServers::cluster(urls)).await.unwrap();
    for _ in 0..10 {
        storage.create(&fresh(), record(&storage, "x", None)).await.unwrap();
    }
}

#[tokio::test]
async fn a_slot_that_has_moved_is_found() {
    let cluster = RedisCluster::start();
    let storage = connect(&cluster).await;
    let (key, slot) = key_on(&cluster, 0);
    storage.create(&key, record(&storage, "x", None)).await.unwrap();
    for to in [1, 2, 0] {
        cluster.move_slot(slot, to, Duration::ZERO);
        assert_eq!(payload(&storage, &key).await, Lookup::Found("x".into()));
        let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
        storage.commit(&mut locked.lock, locked.record).await.unwrap();
    }
}

#[tokio::test]
async fn a_migrating_session_is_read_and_changed() {
    let cluster = RedisCluster::start();
    let storage = connect(&cluster).await;
    let (key, slot) = key_on(&cluster, 0);
    storage.create(&key, record(&storage, "x", None)).await.unwrap();
    cluster.open_slot(slot, 0, 1);
    // The session is still on its old node.
    assert_eq!(payload(&storage, &key).await, Lookup::Found("x".into()));
    let name = cluster.nodes()[0]
        .command(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), "1"])
        .items()[0]
        .text();
    let port = cluster.nodes()[1].port().to_string();
    cluster.nodes()[0].command(&["MIGRATE", "127.0.0.1", &port, &name, "0", "1000"]);
    // The session is on its new node, which requires ASKING. So do new keys.
    assert_eq!(payload(&storage, &key).await, Lookup::Found("x".into()));
    let sibling = same_shard(&key, 1);
    storage.create(&sibling, record(&storage, "new", None)).await.unwrap();
    assert_eq!(payload(&storage, &sibling).await, Lookup::Found("new".into()));

    let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    storage
        .commit(&mut locked.lock, record(&storage, "y", None))
        .await
        .unwrap();
    cluster.close_slot(slot, 0, 1);
    assert_eq!(payload(&storage, &key).await, Lookup::Found("y".into()));
}

#[tokio::test]
async fn a_waiter_is_served_at_the_new_node_when_the_slot_moves() {
    let cluster = RedisCluster::start();
    let (one, two) = (connect(&cluster).await, connect(&cluster).await);
    let (key, slot) = key_on(&cluster, 0);
    let others: Vec<_> = (0..50).map(|_| fresh()).collect();
    for (number, other) in others.iter().enumerate() {
        two.create(other, record(&two, &number.to_string(), None))
            .await
            .unwrap();
    }
    one.create(&key, record(&one, "x", None)).await.unwrap();
    for to in [1, 2, 0, 1] {
        let mut held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
        let waiting = tokio::spawn({
            let two = Arc::clone(&two);
            async move { two.lock(&key, MINUTE).await }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        cluster.move_slot(slot, to, Duration::ZERO);
        one.commit(&mut held.lock, record(&one, &to.to_string(), None))
            .await
            .unwrap();
        let locked = tokio::time::timeout(Duration::from_secs(10), waiting)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let locked = locked.found().unwrap();
        assert_eq!(locked.record.payload, to.to_string());
        two.release(locked.lock).await.unwrap();
        // The server has cancelled a subscription unasked. This must not be taken for the reply to a command: every
        // reply still belongs to its request.
        for (number, other) in others.iter().enumerate() {
            assert_eq!(payload(&two, other).await, Lookup::Found(number.to_string()));
        }
    }
}

#[tokio::test]
async fn a_scan_misses_no_session_while_slots_move() {
    let cluster = RedisCluster::start();
    let storage = connect(&cluster).await;
    let mut expected = BTreeSet::new();
    let (first, slot) = key_on(&cluster, 0);
    for number in 0..300 {
        let key = if number % 3 == 0 {
            fresh()
        } else {
            same_shard(&first, number)
        };
        storage.create(&key, record(&storage, "x", Some(MINUTE))).await.unwrap();
        expected.insert(key);
    }
    let moving = Arc::new(AtomicBool::new(true));
    let (seen, rounds) = std::thread::scope(|scope| {
        let mover = scope.spawn(|| {
            for to in [1, 2, 0, 2, 1, 0] {
                cluster.move_slot(slot, to, Duration::from_micros(200));
            }
            moving.store(false, Ordering::SeqCst);
        });
        let scanned = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let storage = connect(&cluster).await;
                let mut rounds = Vec::new();
                while moving.load(Ordering::SeqCst) {
                    rounds.push(scan(&storage).await);
                }
                (scan(&storage).await, rounds)
            })
        });
        mover.join().unwrap();
        scanned.join().unwrap()
    });
    assert_eq!(seen, expected);
    assert!(!rounds.is_empty());
    for (number, round) in rounds.iter().enumerate() {
        assert!(
            round.is_superset(&expected),
            "round {number} misses {}",
            expected.difference(round).count()
        );
    }
}

/// Returns another key of the same shard.
fn same_shard(key: &SessionKey, number: u32) -> SessionKey {
    format!("{}:{number:064x}", key.shard()).parse().unwrap()
}

async fn scan(storage: &RedisStorage) -> BTreeSet<SessionKey> {
    let (mut seen, mut cursor) = (BTreeSet::new(), None);
    loop {
        let page = storage.scan(cursor, 20).await.unwrap();
        seen.extend(page.sessions.into_iter().map(|head| head.key));
        cursor = page.next;
        if cursor.is_none() {
            return seen;
        }
    }
}

#[tokio::test]
async fn a_lost_node_is_replaced_and_the_others_are_unaffected() {
    let mut cluster = RedisCluster::start_with(&["cluster-require-full-coverage no"]);
    let storage = connect(&cluster).await;
    let ((lost, slot), (other, _)) = (key_on(&cluster, 0), key_on(&cluster, 1));
    for key in [&lost, &other] {
        storage.create(key, record(&storage, "x", Some(MINUTE))).await.unwrap();
    }
    let replica = &cluster.nodes()[3];
    support::until("replicated", || replica.info("keyspace", "db0").is_some()).await;
    cluster.nodes_mut()[0].kill();
    eventually("there again", async || {
        assert_eq!(payload(&storage, &other).await, Lookup::Found("x".into()));
        let start = Instant::now();
        match storage.read(&lost).await {
            Ok(found) => found.is_found(),
            Err(error) => {
                assert!(error.is_retryable(), "{error:?}");
                assert!(start.elapsed() < TIMEOUT * 5);
                false
            }
        }
    })
    .await;
    let mut locked = storage.lock(&lost, MINUTE).await.unwrap().found().unwrap();
    storage
        .commit(&mut locked.lock, record(&storage, "y", Some(MINUTE)))
        .await
        .unwrap();
    // The nodes learn of it one after the other.
    support::until("heard of", || cluster.owner(slot) != 0).await;

    // The failover is reverted.
    cluster.nodes_mut()[0].restart();
    cluster.wait_until_whole();
    assert_eq!(payload(&storage, &lost).await, Lookup::Found("y".into()));
}

#[tokio::test]
async fn a_node_that_freezes_is_replaced() {
    let cluster = RedisCluster::start_with(&["cluster-require-full-coverage no"]);
    let storage = connect(&cluster).await;
    let (key, _) = key_on(&cluster, 2);
    storage.create(&key, record(&storage, "x", Some(MINUTE))).await.unwrap();
    let replica = &cluster.nodes()[5];
    support::until("replicated", || replica.info("keyspace", "db0").is_some()).await;
    cluster.nodes()[2].pause();
    eventually("there again", async || {
        storage.read(&key).await.is_ok_and(|found| found.is_found())
    })
    .await;
    storage.destroy(&key).await.unwrap();
    cluster.nodes()[2].resume();
    assert_eq!(storage.read(&key).await.unwrap(), Lookup::Missing);
}

#[tokio::test]
async fn a_logout_waits_for_the_replica_of_its_node() {
    let cluster = RedisCluster::start();
    let servers = RedisServers::cluster(cluster.urls()).timeout(TIMEOUT);
    let builder = RedisStorage::builder(servers).durable(1, Duration::from_millis(100));
    let storage = builder.connect().await.unwrap();
    assert_eq!(storage.check().await.unwrap(), []);
    let ((deaf, _), (well, slot)) = (key_on(&cluster, 0), key_on(&cluster, 1));
    for key in [&deaf, &well] {
        storage.create(key, record(&storage, "x", Some(MINUTE))).await.unwrap();
    }
    cluster.nodes()[3].pause();
    assert_eq!(
        storage.destroy(&deaf).await.unwrap_err().kind(),
        StorageErrorKind::Unavailable
    );
    // The command is sent to the wrong node first, and then to the right one.
    cluster.move_slot(slot, 2, Duration::ZERO);
    assert_eq!(storage.destroy(&well).await.unwrap(), Lookup::Found(()));
    assert_eq!(storage.shortfalls(), 1);
    cluster.nodes()[3].resume();
}
