//! Measures the cost of losing one node of a cluster to callers whose sessions are on the others: `cargo bench -p
//! sessile-redis --bench outage`.
//!
//! One process runs two groups of tasks. The sessions of one group are all on one node, those of the other on the other
//! two. Each task visits its session at fixed moments, a hundred times a second, and skips those during a visit. A
//! group therefore has its full rate as long as no visit takes longer than ten milliseconds, and the processors have
//! time to spare. Both groups run all the time: first with all nodes, then without the one. No vote replaces it
//! meanwhile.
//!
//! The healthy group must not have a failed visit, and must keep its rate to within two percent. The measurement is
//! made with a dead node and with a frozen one. `--seconds N` sets the duration of each part.

#![allow(clippy::unwrap_used, reason = "a bench is no better than a test")]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sessile_core::{Meta, OsEntropy, Record, SessionId, SessionKey, Storage, StorageError};
use sessile_lab::redis::{RedisCluster, version};
use sessile_redis::{RedisServers, RedisStorage};
use tokio::time::MissedTickBehavior;

/// The number of tasks in each group.
const TASKS: usize = 8;
/// The interval between a task's visits.
const PACE: Duration = Duration::from_millis(10);
/// The part of its rate that the healthy group may lose.
const LOSS: f64 = 0.02;

/// The result of a group: the duration of each visit, and the number of failures.
#[derive(Default)]
struct Tally {
    took: Vec<Duration>,
    failed: usize,
    lasted: Duration,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    let seconds = arguments.windows(2).find(|pair| pair[0] == "--seconds");
    let seconds = seconds.map_or(if is_bench { 10.0 } else { 0.5 }, |pair| {
        pair[1].parse().expect("a number")
    });
    let part = Duration::from_secs_f64(seconds);
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "{}, {processors} processors, {TASKS} tasks in each group, {} visits a second wanted of each group",
        version(),
        TASKS as u128 * 1_000 / PACE.as_millis()
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let well = runtime.unwrap().block_on(async {
        let dead = measure("dead", part, |cluster| cluster.nodes_mut()[0].kill()).await;
        let frozen = measure("frozen", part, |cluster| cluster.nodes()[0].pause()).await;
        dead && frozen
    });
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure(what: &str, part: Duration, lose: impl Fn(&mut RedisCluster)) -> bool {
    let mut cluster = RedisCluster::start();
    for node in cluster.nodes() {
        node.command(&["CONFIG", "SET", "cluster-node-timeout", "3600000"]);
    }
    let storage = Arc::new(
        RedisStorage::connect(RedisServers::cluster(cluster.urls()))
            .await
            .unwrap(),
    );
    let [other, healthy] = [keys(&cluster, &[0]), keys(&cluster, &[1, 2])];
    for key in other.iter().chain(&healthy) {
        storage.create(key, record(&storage)).await.unwrap();
    }
    let both = async |part| {
        let stop = Arc::new(AtomicBool::new(false));
        let groups = [&healthy, &other].map(|keys| group(&storage, keys, &stop));
        tokio::time::sleep(part).await;
        stop.store(true, Ordering::SeqCst);
        let [healthy, other] = groups;
        (healthy.await, other.await)
    };
    // Warms up.
    both(part / 10).await;
    let before = both(part).await;
    lose(&mut cluster);
    let meanwhile = both(part).await;
    println!("\none of three nodes is {what}");
    println!(
        "{:34} {:>9} {:>9} {:>10} {:>10} {:>10}",
        "", "visits/s", "failed", "p50", "p99", "longest"
    );
    show("its sessions, before", &before.1);
    show("its sessions, meanwhile", &meanwhile.1);
    show("sessions of the others, before", &before.0);
    show("sessions of the others, meanwhile", &meanwhile.0);
    let loss = 1.0 - meanwhile.0.rate() / before.0.rate();
    println!("the others lose {:.2} % of their rate", loss * 100.0);
    let well = meanwhile.0.failed == 0 && loss < LOSS;
    if !well {
        println!(
            "that is not what is promised: no failed visit, and less than {:.0} %",
            LOSS * 100.0
        );
    }
    well
}

/// Returns keys whose slots these nodes own.
fn keys(cluster: &RedisCluster, nodes: &[usize]) -> Vec<SessionKey> {
    let mut admin = cluster.nodes()[0].admin();
    let mut keys = Vec::new();
    while keys.len() < TASKS {
        let key = SessionId::generate(&OsEntropy).key();
        let slot = admin.command(&["CLUSTER", "KEYSLOT", &format!("{{{}}}", key.shard())]);
        let slot: usize = slot.text().parse().unwrap();
        if nodes.contains(&(slot * 3 / 16_384)) {
            keys.push(key);
        }
    }
    keys
}

/// Lets a task visit each of these sessions until it is stopped.
fn group(
    storage: &Arc<RedisStorage>,
    keys: &[SessionKey],
    stop: &Arc<AtomicBool>,
) -> impl Future<Output = Tally> + use<> {
    let began = Instant::now();
    let tasks: Vec<_> = keys
        .iter()
        .map(|key| {
            let (storage, key, stop) = (Arc::clone(storage), *key, Arc::clone(stop));
            tokio::spawn(async move {
                let mut moments = tokio::time::interval(PACE);
                moments.set_missed_tick_behavior(MissedTickBehavior::Skip);
                let mut tally = Tally::default();
                while !stop.load(Ordering::SeqCst) {
                    moments.tick().await;
                    let start = Instant::now();
                    match visit(&storage, &key).await {
                        Ok(()) => tally.took.push(start.elapsed()),
                        Err(_) => tally.failed += 1,
                    }
                }
                tally.lasted = began.elapsed();
                tally
            })
        })
        .collect();
    async move {
        let mut sum = Tally::default();
        for task in tasks {
            let tally = task.await.unwrap();
            sum.took.extend(tally.took);
            sum.failed += tally.failed;
            sum.lasted = sum.lasted.max(tally.lasted);
        }
        sum.took.sort_unstable();
        sum
    }
}

async fn visit(storage: &RedisStorage, key: &SessionKey) -> Result<(), StorageError> {
    storage.read(key).await?;
    if let Some(mut locked) = storage.lock(key, Duration::from_secs(1)).await?.found() {
        storage.commit(&mut locked.lock, record(storage)).await?;
    }
    Ok(())
}

fn record(storage: &RedisStorage) -> Record {
    Record::new(Meta::new(storage.clock().now()), vec![7; 200])
}

impl Tally {
    fn rate(&self) -> f64 {
        self.took.len() as f64 / self.lasted.as_secs_f64()
    }
}

fn show(name: &str, tally: &Tally) {
    let at = |percent: usize| {
        let index = (tally.took.len() * percent / 100).min(tally.took.len().saturating_sub(1));
        let took = tally.took.get(index);
        took.map_or_else(|| "-".to_owned(), |took| format!("{:.2} ms", took.as_secs_f64() * 1e3))
    };
    let (rate, failed) = (tally.rate(), tally.failed);
    let [p50, p99, longest] = [50, 99, 100].map(at);
    println!("{name:34} {rate:>9.1} {failed:>9} {p50:>10} {p99:>10} {longest:>10}");
}
