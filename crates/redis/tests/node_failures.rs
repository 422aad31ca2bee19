//! Failures of one node concern only its own sessions, and a node may be reachable elsewhere than it announces.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sessile_core::{Lookup, SessionKey, Storage};
use sessile_lab::redis::{RedisCluster, RedisServer};
use sessile_redis::{RedisServers, RedisStorage};
use support::{allow, fresh, permissions, record};

const MINUTE: Duration = Duration::from_secs(60);

fn slot(cluster: &RedisCluster, key: &SessionKey) -> u16 {
    let tag = format!("{{{}}}", key.shard());
    let slot = cluster.nodes()[1].command(&["CLUSTER", "KEYSLOT", &tag]);
    slot.text().parse().unwrap()
}

fn key_on(cluster: &RedisCluster, is_wanted: impl Fn(usize) -> bool) -> SessionKey {
    let mut keys = std::iter::repeat_with(fresh);
    keys.find(|key| is_wanted(cluster.owner(slot(cluster, key)))).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_node_costs_the_sessions_of_the_others_nothing() {
    // Long enough to prevent a vote during this test.
    let mut cluster = RedisCluster::start_with(&["cluster-node-timeout 60000", "cluster-require-full-coverage no"]);
    let servers = RedisServers::cluster(cluster.urls()).timeout(Duration::from_secs(1));
    let storage = Arc::new(RedisStorage::connect(servers).await.unwrap());
    let (dead, well) = (key_on(&cluster, |node| node == 0), key_on(&cluster, |node| node != 0));
    for key in [&dead, &well] {
        storage
            .create(key, record(&storage, "x", Some(MINUTE * 10)))
            .await
            .unwrap();
    }
    cluster.nodes_mut()[0].kill();
    let asked = || -> u64 {
        cluster.nodes()[1..]
            .iter()
            .map(|node| node.calls("cluster|slots"))
            .sum()
    };
    let before = asked();
    let begin = Instant::now();
    let (served, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let visitors = (0..16).map(|number| {
        let storage = Arc::clone(&storage);
        let (served, failed) = (Arc::clone(&served), Arc::clone(&failed));
        tokio::spawn(async move {
            while begin.elapsed() < Duration::from_secs(4) {
                if number % 2 == 0 {
                    assert!(storage.read(&dead).await.is_err());
                    failed.fetch_add(1, Ordering::Relaxed);
                } else {
                    assert!(storage.read(&well).await.unwrap().is_found());
                    served.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    });
    for visitor in visitors.collect::<Vec<_>>() {
        visitor.await.unwrap();
    }
    let seconds = begin.elapsed().as_secs();
    let maps = asked() - before;
    assert!(served.load(Ordering::Relaxed) > 100 && failed.load(Ordering::Relaxed) > 8);
    // Four a second, and some are requested from two nodes at once.
    assert!((1..=10 * (seconds + 2)).contains(&maps), "{maps} maps in {seconds} s");
}

#[tokio::test]
async fn nodes_that_do_not_announce_a_host_are_reached_where_they_replied() {
    for kind in ["hostname", "unknown-endpoint"] {
        let cluster = RedisCluster::start_with(&[&format!("cluster-preferred-endpoint-type {kind}")]);
        let storage = RedisStorage::connect(RedisServers::cluster(cluster.urls()))
            .await
            .unwrap();
        let key = key_on(&cluster, |node| node == 0);
        storage.create(&key, record(&storage, "x", None)).await.unwrap();
        for _ in 0..10 {
            storage.create(&fresh(), record(&storage, "x", None)).await.unwrap();
        }
        // MOVED has no host either.
        cluster.move_slot(slot(&cluster, &key), 1, Duration::ZERO);
        assert!(storage.read(&key).await.unwrap().is_found());
    }
}

#[tokio::test]
async fn nodes_are_reached_where_the_map_of_addresses_says() {
    let cluster = RedisCluster::start_with(&[
        "cluster-announce-hostname inside.invalid",
        "cluster-preferred-endpoint-type hostname",
    ]);
    support::until("the nodes have heard", || {
        cluster.nodes().iter().all(|node| {
            let nodes = node.command(&["CLUSTER", "NODES"]).text();
            nodes.lines().all(|line| line.contains(",inside.invalid"))
        })
    })
    .await;
    let servers = RedisServers::cluster([cluster.nodes()[0].url()])
        .map_addresses(|host, port| (host == "inside.invalid").then(|| ("127.0.0.1".to_owned(), port)));
    let storage = RedisStorage::connect(servers).await.unwrap();
    for _ in 0..20 {
        storage.create(&fresh(), record(&storage, "x", None)).await.unwrap();
    }
}

#[tokio::test]
async fn with_the_documented_permissions_everything_works_in_a_cluster_including_scans() {
    let cluster = RedisCluster::start();
    let more = include_str!("../README.md")
        .lines()
        .find_map(|line| line.strip_prefix("| in a cluster | `"))
        .unwrap();
    let more = more.trim_end_matches("` |").replace("\\|", "|");
    let permissions = [permissions(), more.split(' ').map(str::to_owned).collect()].concat();
    for node in cluster.nodes() {
        allow(node, &permissions);
    }
    let servers = RedisServers::cluster(cluster.urls())
        .username("sessions")
        .password("secret");
    let storage = RedisStorage::connect(servers).await.unwrap();
    for _ in 0..20 {
        storage.create(&fresh(), record(&storage, "x", None)).await.unwrap();
    }
    let (mut cursor, mut listed) = (None, 0);
    loop {
        let page = storage.scan(cursor, 7).await.unwrap();
        listed += page.sessions.len();
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(listed, 20);
    assert_eq!(storage.check().await.unwrap(), []);
}

#[tokio::test]
async fn a_scan_ends_while_a_slot_is_left_open() {
    let cluster = RedisCluster::start();
    let storage = RedisStorage::connect(RedisServers::cluster(cluster.urls()))
        .await
        .unwrap();
    let first = key_on(&cluster, |node| node == 0);
    storage.create(&first, record(&storage, "x", None)).await.unwrap();
    let mut expected = std::collections::BTreeSet::from([first]);
    for _ in 0..200 {
        let key = fresh();
        storage.create(&key, record(&storage, "x", None)).await.unwrap();
        expected.insert(key);
    }
    cluster.open_slot(slot(&cluster, &first), 0, 1);
    let (mut cursor, mut seen, mut pages) = (None, std::collections::BTreeSet::new(), 0);
    loop {
        let page = storage.scan(cursor, 50).await.unwrap();
        seen.extend(page.sessions.iter().map(|head| head.key));
        pages += 1;
        // Two passes over three nodes with 201 keys.
        assert!(pages < 60, "the scan goes on and on");
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_server_that_loads_is_waited_for() {
    let mut server = RedisServer::start_with(&["save 3600 1", "loading-process-events-interval-bytes 1024"]);
    let servers = RedisServers::single(server.url()).timeout(Duration::from_secs(30));
    let storage = RedisStorage::connect(servers).await.unwrap();
    let key = fresh();
    storage.create(&key, record(&storage, "x", None)).await.unwrap();
    for _ in 0..100 {
        let large = record(&storage, &"x".repeat(100), None);
        storage.create(&fresh(), large).await.unwrap();
    }
    server.command(&["CONFIG", "SET", "key-load-delay", "10000"]);
    server.command(&["CONFIG", "REWRITE"]);
    server.command(&["SAVE"]);
    server.kill();
    server.launch_again();
    support::until("it loads", || {
        server
            .try_command(&["GET", "x"])
            .is_ok_and(|reply| reply.text().starts_with("LOADING"))
    })
    .await;
    assert!(storage.read(&key).await.unwrap().is_found());
    assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Found(()));
}
