//! The number of channels to which a process subscribes: at most one for each slot of a cluster, each requested once.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{SessionKey, Storage};
use sessile_lab::redis::RedisCluster;
use sessile_redis::{RedisServers, RedisStorage};
use support::{fresh, record};

const MINUTE: Duration = Duration::from_secs(60);

async fn connect(cluster: &RedisCluster) -> Arc<RedisStorage> {
    let servers = RedisServers::cluster(cluster.urls()).timeout(Duration::from_secs(30));
    let builder = RedisStorage::builder(servers).poll(MINUTE * 10).lease(MINUTE * 10);
    Arc::new(builder.connect().await.unwrap())
}

fn calls(cluster: &RedisCluster, command: &str) -> u64 {
    cluster.nodes().iter().map(|node| node.calls(command)).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_waiters_subscribe_once_for_each_slot() {
    const MANY: usize = 5_000;
    let cluster = RedisCluster::start();
    let (one, two) = (connect(&cluster).await, connect(&cluster).await);
    let keys: Vec<SessionKey> = (0..MANY).map(|_| fresh()).collect();
    let shards: BTreeSet<_> = keys.iter().map(SessionKey::shard).collect();
    assert!(shards.len() > 4_000);
    let mut held = Vec::new();
    for key in &keys {
        one.create(key, record(&one, "x", None)).await.unwrap();
        held.push(one.lock(key, MINUTE).await.unwrap().found().unwrap());
    }
    let waiting: Vec<_> = keys
        .iter()
        .map(|key| {
            let (two, key) = (Arc::clone(&two), *key);
            tokio::spawn(async move {
                let locked = two.lock(&key, MINUTE * 5).await.unwrap().found().unwrap();
                two.release(locked.lock).await.unwrap();
            })
        })
        .collect();
    support::until("everybody waits", || calls(&cluster, "rpush") >= MANY as u64).await;
    for locked in held {
        one.release(locked.lock).await.unwrap();
    }
    for task in waiting {
        tokio::time::timeout(MINUTE, task).await.unwrap().unwrap();
    }
    let subscriptions = calls(&cluster, "ssubscribe");
    assert!(subscriptions <= shards.len() as u64, "{subscriptions} subscriptions");
}
