//! Waiting for more sessions on one node of a cluster than the channels of one connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile_core::Storage;
use sessile_lab::redis::RedisCluster;
use sessile_redis::{RedisServers, RedisStorage};

use crate::visits::{MINUTE, Slots, create, queued};

const SESSIONS: usize = 1_300;

/// The time limit for joining the queues.
const IN_LINE: Duration = Duration::from_secs(5);

/// The number of waits for each session.
const ROUNDS: u64 = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_many_sessions_at_once_causes_no_storm_of_subscriptions() {
    let cluster = RedisCluster::start();
    let servers = || RedisServers::cluster(cluster.urls()).timeout(Duration::from_secs(10));
    // Only visits renew leases. On a busy machine the locks are held for longer than the default lease.
    let holder = RedisStorage::builder(servers()).lease(MINUTE).connect().await.unwrap();
    let holder = Arc::new(holder);
    let waiter = RedisStorage::builder(servers())
        .max_waiters(10)
        .connect()
        .await
        .unwrap();
    let waiter = Arc::new(waiter);
    let keys = Slots::of(&cluster).keys_on(0, SESSIONS);
    for key in &keys {
        create(&holder, key).await.unwrap();
    }
    let node = &cluster.nodes()[0];
    let before = node.calls("ssubscribe");
    let mut slowest = Duration::ZERO;
    for _ in 0..ROUNDS {
        let mut held = Vec::new();
        for key in &keys {
            let locked = holder.lock(key, MINUTE).await.unwrap();
            held.push(locked.found().unwrap());
        }
        let waiting: Vec<_> = keys
            .iter()
            .map(|key| {
                let (waiter, key) = (Arc::clone(&waiter), *key);
                tokio::spawn(async move {
                    let locked = waiter.lock(&key, MINUTE).await.unwrap().found().unwrap();
                    let when = Instant::now();
                    waiter.release(locked.lock).await.unwrap();
                    when
                })
            })
            .collect();
        // Waiters without messages need not join the queue.
        let began = Instant::now();
        while queued(node) < i64::try_from(SESSIONS).unwrap() && began.elapsed() < IN_LINE {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let committing: Vec<_> = held
            .into_iter()
            .map(|mut locked| {
                let holder = Arc::clone(&holder);
                tokio::spawn(async move {
                    let start = Instant::now();
                    holder.commit(&mut locked.lock, locked.record).await.unwrap();
                    start
                })
            })
            .collect();
        for (committing, waiting) in committing.into_iter().zip(waiting) {
            let (start, granted) = (committing.await.unwrap(), waiting.await.unwrap());
            slowest = slowest.max(granted.saturating_duration_since(start));
        }
    }
    let subscriptions = node.calls("ssubscribe") - before;
    println!(
        "{SESSIONS} sessions, {ROUNDS} rounds: {subscriptions} subscriptions, the slowest hand-over took {slowest:?}"
    );
    // One for each session would be enough, however often it is waited for, and as many again for a connection that
    // breaks.
    let bound = 2 * u64::try_from(SESSIONS).unwrap();
    assert!(
        subscriptions <= bound,
        "{subscriptions} subscriptions for {SESSIONS} sessions, {ROUNDS} times"
    );
    assert!(slowest < Duration::from_secs(5), "a hand-over took {slowest:?}");
}
