//! A primary of a cluster is dead or frozen, and no vote has replaced it yet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile_core::StorageErrorKind;
use sessile_lab::redis::RedisCluster;
use sessile_redis::RedisServers;

use crate::load::Load;
use crate::support::eventually;
use crate::visits::{Slots, create, process, visit};

/// The duration of the load without the node.
const OUTAGE: Duration = Duration::from_secs(4);

/// The longest wait on a healthy node, even on a busy machine.
const WAITED: Duration = Duration::from_secs(5);

/// The largest number of requests for the slot map, per second, process and node.
const QUESTIONS: u64 = 5;

/// Half of the load is on the sessions of one node, which is lost. On the others nothing fails and nothing keeps asking
/// for the slot map, and the rest recovers as soon as the node is back.
async fn sessions_of_other_nodes_are_unaffected(
    lose: impl Fn(&mut RedisCluster),
    give_back: impl Fn(&mut RedisCluster),
) {
    let mut cluster = RedisCluster::start();
    // No vote takes place during this test.
    for node in cluster.nodes() {
        node.command(&["CONFIG", "SET", "cluster-node-timeout", "60000"]);
    }
    let storage = process(RedisServers::cluster(cluster.urls())).await;
    let mut slots = Slots::of(&cluster);
    let mut healthy = [slots.keys_on(1, 10), slots.keys_on(2, 10)].concat();
    let doomed = slots.keys_on(0, 20);
    drop(slots);
    for key in healthy.iter().chain(&doomed) {
        create(&storage, key).await.unwrap();
    }
    let spare = healthy.pop().unwrap();

    let load = |keys: &Vec<_>| {
        let (storage, keys) = (Arc::clone(&storage), Arc::new(keys.clone()));
        Load::start(keys.len(), move |caller, _| {
            let (storage, key) = (Arc::clone(&storage), keys[caller]);
            async move { visit(&storage, &key).await.map(drop) }
        })
    };
    let (calm, other) = (load(&healthy), load(&doomed));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (calm, other) = (calm.end().await, other.end().await);
    calm.is_clean("before, the healthy half");
    other.is_clean("before, the other half");

    let asked = |cluster: &RedisCluster| -> Vec<u64> {
        let others = cluster.nodes()[1..].iter();
        others.map(|node| node.calls("cluster|slots")).collect()
    };
    let before = asked(&cluster);
    let (half, lost, began) = (load(&healthy), load(&doomed), Instant::now());
    lose(&mut cluster);
    tokio::time::sleep(OUTAGE).await;
    let (half, lost) = (half.end().await, lost.end().await);
    println!("the healthy half before: {calm}\nthe healthy half meanwhile: {half}\nthe other half: {lost}");
    half.is_clean("the healthy half");
    assert!(half.slowest < WAITED, "the healthy half waited: {half}");
    let unavailable = [StorageErrorKind::Unavailable, StorageErrorKind::Timeout];
    lost.fails_only_with(&unavailable, "the other half");
    assert!(!lost.failed.is_empty(), "the node was there all the time");
    let most = QUESTIONS * (began.elapsed().as_secs() + 2);
    let asked = asked(&cluster).into_iter().zip(before);
    let questions = asked.map(|(after, before)| after - before).max().unwrap();
    println!(
        "a node was asked for the map up to {questions} times in {:?}",
        began.elapsed()
    );
    assert!(questions <= most, "a node was asked for the map {questions} times");

    give_back(&mut cluster);
    let start = Instant::now();
    eventually("usable again", async || {
        let mut usable = true;
        for key in &doomed {
            // A node that died has lost them, which is a valid reply as well.
            usable &= visit(&storage, key).await.is_ok();
        }
        usable
    })
    .await;
    println!("usable again after {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    assert!(visit(&storage, &spare).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_primary_fails_no_session_of_the_others() {
    sessions_of_other_nodes_are_unaffected(
        |cluster| cluster.nodes_mut()[0].kill(),
        |cluster| cluster.nodes_mut()[0].restart(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_primary_fails_no_session_of_the_others() {
    sessions_of_other_nodes_are_unaffected(
        |cluster| cluster.nodes()[0].pause(),
        |cluster| cluster.nodes()[0].resume(),
    )
    .await;
}
