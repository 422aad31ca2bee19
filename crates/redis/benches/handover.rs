//! Measures how fast a contended lock is handed over: `cargo bench -p sessile-redis --bench handover`.
//!
//! Two processes with 32 tasks each want one session, for one change each time: read, write. The common alternative
//! runs beside it: `SET NX PX`, and another attempt after 50 milliseconds if that fails.
//!
//! First, all tasks want the lock all the time. A polled lock is then usually taken again by the task that has just
//! released it, before any other polls: that is fast, and the wait of the others is left to chance. Then all tasks want
//! it at once, one change each, once a second, as when a page sends its 64 requests.

#![allow(clippy::unwrap_used, reason = "a bench is no better than a test")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::aio::MultiplexedConnection;
use sessile_core::{LockToken, Meta, OsEntropy, Record, SessionId, SessionKey, Storage, Timestamp};
use sessile_lab::redis::RedisServer;
use sessile_redis::RedisStorage;

const TASKS: usize = 32;
const PROCESSES: usize = 2;

/// The interval between bursts, in microseconds.
const BURST: u64 = 1_000_000;

/// The times of one task, in microseconds since the epoch: when it asked, when it had the lock, when it released it.
type Timing = [u64; 3];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, kind, url, key, seconds, all_the_time] = arguments.as_slice()
        && role == "worker"
    {
        return worker(kind, url, key, seconds.parse().unwrap(), all_the_time == "true");
    }
    let bench = arguments.iter().any(|argument| argument == "--bench");
    println!("{PROCESSES} processes, {TASKS} tasks each, one session");
    for kind in ["handing over", "polling"] {
        let turns = run(kind, if bench { 5.0 } else { 0.2 }, true);
        report_all_the_time(kind, &turns);
    }
    for kind in ["handing over", "polling"] {
        let turns = run(kind, if bench { 12.0 } else { 1.2 }, false);
        report_bursts(kind, &turns);
    }
}

/// Lets the processes work, and returns which had the lock when, in order.
fn run(kind: &str, seconds: f64, all_the_time: bool) -> Vec<(usize, Timing)> {
    let server = RedisServer::start();
    let key = SessionId::generate(&OsEntropy).key();
    runtime().block_on(async {
        let storage = RedisStorage::connect(server.url()).await.unwrap();
        let record = Record::new(Meta::new(Timestamp::from_millis(0)), 0_u64.to_be_bytes().to_vec());
        storage.create(&key, record).await.unwrap();
    });
    server.command(&["SET", "polled", "0"]);
    let workers: Vec<_> = (0..PROCESSES)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["worker", kind, &server.url(), &key.to_string()])
                .args([seconds.to_string(), all_the_time.to_string()])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut turns: Vec<(usize, Timing)> = Vec::new();
    for (process, mut worker) in workers.into_iter().enumerate() {
        for line in BufReader::new(worker.stdout.take().unwrap()).lines() {
            let numbers: Vec<u64> = line.unwrap().split(' ').map(|number| number.parse().unwrap()).collect();
            turns.push((process, numbers.try_into().unwrap()));
        }
        assert!(worker.wait().unwrap().success());
    }
    turns.sort_by_key(|(_, turn)| turn[1]);
    turns
}

fn report_all_the_time(kind: &str, turns: &[(usize, Timing)]) {
    let gaps: Vec<_> = turns
        .windows(2)
        .map(|pair| pair[1].1[1].saturating_sub(pair[0].1[2]))
        .collect();
    let time = (turns.last().unwrap().1[2] - turns[0].1[1]) as f64 / 1e6;
    let switches = turns.windows(2).filter(|pair| pair[0].0 != pair[1].0).count();
    println!(
        "all the time, {kind}: {:.0} changes a second; from hand to hand p50 {}, p99 {}; waiting {}; {:.0} % go from one \
         process to the other",
        turns.len() as f64 / time,
        percentile(&gaps, 50),
        percentile(&gaps, 99),
        waits(turns),
        100.0 * switches as f64 / (turns.len() - 1) as f64,
    );
}

fn report_bursts(kind: &str, turns: &[(usize, Timing)]) {
    let mut by_burst = turns.to_vec();
    by_burst.sort_by_key(|(_, turn)| turn[0]);
    let bursts: Vec<_> = by_burst
        .chunk_by(|one, next| one.1[0] / BURST == next.1[0] / BURST)
        .map(|burst| burst.iter().map(|(_, turn)| turn[2]).max().unwrap() - burst[0].1[0])
        .collect();
    println!(
        "all at once, {kind}: all are served after p50 {}; waiting {}",
        percentile(&bursts, 50),
        waits(turns)
    );
}

fn waits(turns: &[(usize, Timing)]) -> String {
    let waits: Vec<_> = turns.iter().map(|(_, turn)| turn[1] - turn[0]).collect();
    let [p50, p99, longest] = [50, 99, 100].map(|percent| percentile(&waits, percent));
    format!("p50 {p50}, p99 {p99}, longest {longest}")
}

fn percentile(values: &[u64], percent: usize) -> String {
    let mut sorted = values.to_owned();
    sorted.sort_unstable();
    let index = (sorted.len() * percent / 100).min(sorted.len() - 1);
    format!("{:.2} ms", sorted[index] as f64 / 1e3)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

fn worker(kind: &str, url: &str, key: &str, seconds: f64, all_the_time: bool) {
    let turns = runtime().block_on(async {
        let storage = Arc::new(RedisStorage::connect(url).await.unwrap());
        let polled = redis::Client::open(url)
            .unwrap()
            .get_multiplexed_async_connection()
            .await
            .unwrap();
        let key: SessionKey = key.parse().unwrap();
        let polling = kind == "polling";
        let turns = Arc::new(Mutex::new(Vec::new()));
        let end = now() + Duration::from_secs_f64(seconds).as_micros() as u64;
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let (storage, polled, turns) = (Arc::clone(&storage), polled.clone(), Arc::clone(&turns));
                tokio::spawn(async move {
                    loop {
                        if !all_the_time {
                            tokio::time::sleep(Duration::from_micros(BURST - now() % BURST)).await;
                        }
                        if now() >= end {
                            break;
                        }
                        let turn = if polling {
                            poll(polled.clone()).await
                        } else {
                            hand_over(&storage, &key).await
                        };
                        turns.lock().unwrap().push(turn);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        Arc::into_inner(turns).unwrap().into_inner().unwrap()
    });
    let mut out = std::io::stdout().lock();
    for [asked, had, gave] in turns {
        writeln!(out, "{asked} {had} {gave}").unwrap();
    }
}

async fn hand_over(storage: &RedisStorage, key: &SessionKey) -> Timing {
    let asked = now();
    let mut locked = storage
        .lock(key, Duration::from_secs(60))
        .await
        .unwrap()
        .found()
        .unwrap();
    let had = now();
    let number = u64::from_be_bytes(locked.record.payload[..].try_into().unwrap());
    let mut next = Record::new(locked.record.meta.clone(), (number + 1).to_be_bytes().to_vec());
    next.meta.version += 1;
    let gave = now();
    storage.commit(&mut locked.lock, next).await.unwrap();
    [asked, had, gave]
}

/// Makes the same change under a lock that is polled.
async fn poll(mut connection: MultiplexedConnection) -> Timing {
    let token = LockToken::generate(&OsEntropy);
    let asked = now();
    loop {
        let mut set = redis::cmd("SET");
        set.arg("lock").arg(token.as_bytes()).arg("NX").arg("PX").arg(30_000);
        let taken: Option<String> = set.query_async(&mut connection).await.unwrap();
        if taken.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let had = now();
    let number: u64 = redis::cmd("GET")
        .arg("polled")
        .query_async(&mut connection)
        .await
        .unwrap();
    let commit = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[2], ARGV[2]) return \
                  redis.call('DEL', KEYS[1]) end return 0";
    let gave = now();
    let mut eval = redis::cmd("EVAL");
    eval.arg(commit)
        .arg(2)
        .arg("lock")
        .arg("polled")
        .arg(token.as_bytes())
        .arg(number + 1);
    let committed: u64 = eval.query_async(&mut connection).await.unwrap();
    assert_eq!(committed, 1);
    [asked, had, gave]
}
