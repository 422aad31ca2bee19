//! Measures the batches and costs of commands: `cargo bench -p sessile-redis --bench wire`.
//!
//! Tasks on a few threads read sessions, create them, and change them under their locks, each way for a moment and then
//! the next, round by round, beside a plain `GET` of the underlying client. It reports for each way: the rate, the
//! requests that the server gets with one `read()`, the cost of one for the server's main thread and for all threads of
//! this process, how often a thread of this process went to sleep for one, and its latency.
//!
//! Numbers after `--` are rounds, milliseconds, and then the cases, each as threads, connections and tasks joined by
//! `x`: `-- 5 300 2x1x64 2x2x64 2x1x1`.

#![allow(clippy::unwrap_used, reason = "a bench is no better than a test")]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use sessile_core::{Meta, OsEntropy, Record, SessionId, SessionKey, Storage};
use sessile_lab::redis::RedisServer;
use sessile_redis::{RedisServers, RedisStorage};

/// The number of bytes of a session.
const PAYLOAD: usize = 64;

const WAYS: [Way; 4] = [Way::Get, Way::Read, Way::Create, Way::Change];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A plain GET by the underlying client.
    Get,
    Read,
    Create,
    /// Lock and commit.
    Change,
}

impl Way {
    /// Returns how many requests it sends.
    fn requests(self) -> f64 {
        if self == Self::Change { 2.0 } else { 1.0 }
    }
}

/// One measurement.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    rate: f64,
    requests_per_read: f64,
    server_micros: f64,
    client_micros: f64,
    sleeps: f64,
    median: f64,
    p99: f64,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    threads: usize,
    connections: usize,
    tasks: usize,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let bench = arguments.iter().any(|argument| argument == "--bench");
    let mut given = arguments.iter().filter(|argument| !argument.starts_with('-'));
    let mut number = |default| given.next().map_or(default, |text| text.parse().unwrap());
    let (rounds, millis) = if bench {
        (number(7), number(300))
    } else {
        (number(1), number(20))
    };
    let mut cases: Vec<Case> = given.map(|text| case(text)).collect();
    if cases.is_empty() {
        cases = ["2x1x64", "2x1x8", "2x1x1"].map(case).into();
    }
    let span = Duration::from_millis(millis);
    println!(
        "{rounds} rounds of {millis} ms, medians; {}",
        sessile_lab::redis::version()
    );
    for case in cases {
        report(case, &measure(case, usize::try_from(rounds).unwrap(), span));
    }
}

fn case(text: &str) -> Case {
    let numbers: Vec<usize> = text.split('x').map(|number| number.parse().unwrap()).collect();
    let [threads, connections, tasks] = numbers.try_into().unwrap();
    Case {
        threads,
        connections,
        tasks,
    }
}

fn report(case: Case, figures: &[(Way, Figures)]) {
    println!(
        "\n{} threads, {} connections, {} tasks",
        case.threads, case.connections, case.tasks
    );
    println!(
        "{:>8} {:>9} {:>9} {:>10} {:>10} {:>9} {:>8} {:>8}",
        "", "a second", "per read", "server us", "client us", "sleeps", "p50 us", "p99 us"
    );
    for (way, figures) in figures {
        println!(
            "{:>8} {:>9.0} {:>9.2} {:>10.2} {:>10.2} {:>9.3} {:>8.1} {:>8.1}",
            format!("{way:?}").to_lowercase(),
            figures.rate,
            figures.requests_per_read,
            figures.server_micros,
            figures.client_micros,
            figures.sleeps,
            figures.median,
            figures.p99,
        );
    }
}

fn measure(case: Case, rounds: usize, span: Duration) -> Vec<(Way, Figures)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(case.threads)
        .enable_all()
        .build()
        .unwrap();
    let server = RedisServer::start();
    let subject = runtime.block_on(Subject::connect(&server, case));
    let mut rows: Vec<(Way, Vec<Figures>)> = WAYS.map(|way| (way, Vec::new())).into();
    // The first round is for warming up.
    for round in 0..=rounds {
        for (way, figures) in &mut rows {
            let one = run(&runtime, &server, &subject, (*way, case.tasks), span);
            if round > 0 {
                figures.push(one);
            }
        }
    }
    rows.into_iter()
        .map(|(way, figures)| (way, medians(&figures)))
        .collect()
}

/// The clients and sessions that the tasks use.
struct Subject {
    storage: RedisStorage,
    plain: MultiplexedConnection,
    keys: Vec<SessionKey>,
}

impl Subject {
    async fn connect(server: &RedisServer, case: Case) -> Arc<Self> {
        let servers = RedisServers::single(server.url()).connections(case.connections);
        let storage = RedisStorage::connect(servers).await.unwrap();
        let keys: Vec<_> = (0..case.tasks).map(|_| fresh()).collect();
        for key in &keys {
            storage.create(key, record(&storage, None)).await.unwrap();
        }
        let client = redis::Client::open(server.url()).unwrap();
        let mut plain = client.get_multiplexed_async_connection().await.unwrap();
        let mut set = redis::cmd("SET");
        set.arg("plain").arg(vec![7_u8; PAYLOAD]);
        set.query_async::<()>(&mut plain).await.unwrap();
        Arc::new(Self { storage, plain, keys })
    }

    /// Does it once.
    async fn go(&self, way: Way, key: &SessionKey, plain: &mut MultiplexedConnection) {
        match way {
            Way::Get => {
                let mut get = redis::cmd("GET");
                get.arg("plain");
                get.query_async::<redis::Value>(plain).await.unwrap();
            }
            Way::Read => {
                self.storage.read(key).await.unwrap().found().unwrap();
            }
            Way::Create => {
                let record = record(&self.storage, Some(Duration::from_secs(5)));
                self.storage.create(&fresh(), record).await.unwrap();
            }
            Way::Change => {
                let wait = Duration::from_secs(5);
                let mut locked = self.storage.lock(key, wait).await.unwrap().found().unwrap();
                let mut next = locked.record.clone();
                next.meta.version += 1;
                self.storage.commit(&mut locked.lock, next).await.unwrap();
            }
        }
    }
}

fn fresh() -> SessionKey {
    SessionId::generate(&OsEntropy).key()
}

fn record(storage: &RedisStorage, lives: Option<Duration>) -> Record {
    let now = storage.clock().now();
    let meta = Meta::new(now).with_deadline(lives.map(|lives| now + lives));
    Record::new(meta, vec![7; PAYLOAD])
}

/// Lets the tasks do it for a while.
fn run(
    runtime: &tokio::runtime::Runtime,
    server: &RedisServer,
    subject: &Arc<Subject>,
    (way, tasks): (Way, usize),
    span: Duration,
) -> Figures {
    let over = Arc::new(AtomicBool::new(false));
    let reads = || {
        server
            .info("stats", "total_reads_processed")
            .unwrap()
            .parse::<f64>()
            .unwrap()
    };
    let before = (reads(), running(server.id()), running(std::process::id()), sleeps());
    let start = Instant::now();
    let mut times: Vec<u32> = runtime.block_on(async {
        let tasks: Vec<_> = (0..tasks)
            .map(|task| {
                let (subject, over) = (Arc::clone(subject), Arc::clone(&over));
                tokio::spawn(async move {
                    let (mut times, mut plain) = (Vec::new(), subject.plain.clone());
                    while !over.load(Ordering::Relaxed) {
                        let start = Instant::now();
                        subject.go(way, &subject.keys[task], &mut plain).await;
                        times.push(u32::try_from(start.elapsed().as_nanos()).unwrap());
                    }
                    times
                })
            })
            .collect();
        // Not by a timer of the runtime, whose threads would wake up for it.
        std::thread::sleep(span);
        over.store(true, Ordering::Relaxed);
        let mut times = Vec::new();
        for task in tasks {
            times.append(&mut task.await.unwrap());
        }
        times
    });
    let elapsed = start.elapsed().as_secs_f64();
    let after = (reads(), running(server.id()), running(std::process::id()), sleeps());
    times.sort_unstable();
    let count = times.len() as f64;
    Figures {
        rate: count / elapsed,
        // One read is that of the INFO command itself.
        requests_per_read: count * way.requests() / (after.0 - before.0 - 1.0).max(1.0),
        server_micros: (after.1 - before.1) / count,
        client_micros: (after.2 - before.2) / count,
        sleeps: (after.3 - before.3) / count,
        median: f64::from(times[times.len() / 2]) / 1e3,
        p99: f64::from(times[times.len() * 99 / 100]) / 1e3,
    }
}

/// Returns the running time of a process's threads in microseconds, where Linux reports it.
fn running(process: u32) -> f64 {
    of_threads(process, "schedstat", |text| text.split(' ').next()?.parse::<f64>().ok()) / 1e3
}

/// Returns how often threads of this process have gone to sleep, where Linux reports it.
fn sleeps() -> f64 {
    of_threads(std::process::id(), "status", |text| {
        let line = text.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    })
}

/// Returns the sum of a value in a file of each thread of a process.
fn of_threads(process: u32, file: &str, read: impl Fn(&str) -> Option<f64>) -> f64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else {
        return f64::NAN;
    };
    threads
        .flatten()
        .filter_map(|thread| read(&fs::read_to_string(thread.path().join(file)).ok()?))
        .sum()
}

fn medians(figures: &[Figures]) -> Figures {
    let median = |field: fn(&Figures) -> f64| {
        let mut values: Vec<_> = figures.iter().map(field).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Figures {
        rate: median(|figures| figures.rate),
        requests_per_read: median(|figures| figures.requests_per_read),
        server_micros: median(|figures| figures.server_micros),
        client_micros: median(|figures| figures.client_micros),
        sleeps: median(|figures| figures.sleeps),
        median: median(|figures| figures.median),
        p99: median(|figures| figures.p99),
    }
}
