//! Measures the work of a server: `cargo bench -p sessile-redis --bench work`.
//!
//! It reports, for each way to use a session, how many commands the server runs, including those within scripts, and
//! how much processor time its main thread takes, including reads and writes of its sockets (`INFO cpu`). This depends
//! on how many commands arrive at once, so the ways take turns. The counts of the server for each command follow (`INFO
//! commandstats`): a script counts with all commands that it calls, and these count again.
//!
//! The common alternative runs beside the storage: `GET` and `SET`, without mutual exclusion.

#![allow(clippy::unwrap_used, reason = "a bench is no better than a test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use sessile_core::{Meta, OsEntropy, Record, SessionId, SessionKey, Storage as _};
use sessile_lab::redis::RedisServer;
use sessile_redis::RedisStorage;

const TASKS: usize = 64;
const PAYLOAD: usize = 65;
const LIFE: Duration = Duration::from_secs(3_600);

/// A way to use a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    PeerRead,
    Read,
    PeerChange,
    Optimistic,
    Locked,
    PeerCreate,
    Create,
}

const WAYS: [Way; 7] = [
    Way::PeerRead,
    Way::Read,
    Way::PeerChange,
    Way::Optimistic,
    Way::Locked,
    Way::PeerCreate,
    Way::Create,
];

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::PeerRead => "GET",
            Self::Read => "read",
            Self::PeerChange => "GET and SET",
            Self::Optimistic => "read and replace",
            Self::Locked => "lock and commit",
            Self::PeerCreate => "SET NX",
            Self::Create => "create",
        }
    }
}

/// The work of the server.
#[derive(Debug, Default)]
struct Sum {
    /// The number of calls of each command, and their microseconds.
    commands: BTreeMap<String, (f64, f64)>,
    /// The processor time, in microseconds.
    processor: f64,
}

fn main() {
    let measured = std::env::args().any(|argument| argument == "--bench");
    let (rounds, each) = if measured { (20, 200) } else { (2, 2) };
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut sums = BTreeMap::<Way, Sum>::new();
    runtime.block_on(async {
        let storage = Arc::new(RedisStorage::connect(server.url()).await.unwrap());
        let client = redis::Client::open(server.url()).unwrap();
        let connection = client.get_multiplexed_async_connection().await.unwrap();
        let keys: Arc<Vec<_>> = Arc::new((0..TASKS).map(|_| SessionId::generate(&OsEntropy).key()).collect());
        for (number, key) in keys.iter().enumerate() {
            storage.create(key, record(&storage)).await.unwrap();
            let mut connection = connection.clone();
            set(&mut connection, number, &[]).await;
        }
        // The first round loads the scripts.
        for round in 0..=rounds {
            for way in WAYS {
                let before = Work::of(&server);
                let tasks = keys.iter().enumerate().map(|(number, key)| {
                    let (storage, connection, key) = (Arc::clone(&storage), connection.clone(), *key);
                    tokio::spawn(async move {
                        for _ in 0..each {
                            go(way, &storage, connection.clone(), (number, key)).await;
                        }
                    })
                });
                for task in tasks.collect::<Vec<_>>() {
                    task.await.unwrap();
                }
                if round > 0 {
                    before.add_what_came(&server, sums.entry(way).or_default());
                }
            }
        }
    });
    let times = f64::from(rounds) * TASKS as f64 * f64::from(each);
    println!(
        "{}; {TASKS} at once, a payload of {PAYLOAD} bytes",
        sessile_lab::redis::version()
    );
    println!("{:<20} {:>9} {:>14}", "", "commands", "processor (us)");
    for (way, sum) in &sums {
        let commands: f64 = sum.commands.values().map(|(calls, _)| calls / times).sum();
        let mut parts = String::new();
        for (name, (calls, busy)) in sum.commands.iter().filter(|(_, (calls, _))| *calls > 0.0) {
            let _ = write!(parts, "  {name} {:.2} x {:.2} us", calls / times, busy / calls);
        }
        println!(
            "{:<20} {commands:>9.2} {:>14.2} {parts}",
            way.name(),
            sum.processor / times
        );
    }
}

async fn go(
    way: Way,
    storage: &RedisStorage,
    mut connection: MultiplexedConnection,
    (number, key): (usize, SessionKey),
) {
    match way {
        Way::PeerRead => {
            get(&mut connection, number).await;
        }
        Way::Read => {
            storage.read(&key).await.unwrap().found().unwrap();
        }
        Way::PeerChange => {
            get(&mut connection, number).await;
            set(&mut connection, number, &[]).await;
        }
        Way::Optimistic => {
            let known = storage.read(&key).await.unwrap().found().unwrap();
            let mut next = known.record.clone();
            next.meta.version += 1;
            assert!(storage.replace(&known, next).await.unwrap());
        }
        Way::Locked => {
            let mut locked = storage.lock(&key, LIFE).await.unwrap().found().unwrap();
            let mut next = locked.record;
            next.meta.version += 1;
            storage.commit(&mut locked.lock, next).await.unwrap();
        }
        Way::PeerCreate => {
            let number = SessionId::generate(&OsEntropy).key().digest()[..8]
                .iter()
                .fold(0, |sum: usize, byte| {
                    sum.wrapping_mul(256).wrapping_add(usize::from(*byte))
                });
            set(&mut connection, number, &["NX"]).await;
        }
        Way::Create => {
            let key = SessionId::generate(&OsEntropy).key();
            storage.create(&key, record(storage)).await.unwrap();
        }
    }
}

fn record(storage: &RedisStorage) -> Record {
    let now = storage.clock().now();
    Record::new(Meta::new(now).with_deadline(Some(now + LIFE)), vec![b'x'; PAYLOAD])
}

/// Returns a name as long as that of a session.
fn name(number: usize) -> String {
    format!("peer:{number:075}")
}

async fn get(connection: &mut MultiplexedConnection, number: usize) {
    let value: Vec<u8> = redis::cmd("GET")
        .arg(name(number))
        .query_async(connection)
        .await
        .unwrap();
    assert_eq!(value.len(), PAYLOAD);
}

async fn set(connection: &mut MultiplexedConnection, number: usize, more: &[&str]) {
    let mut set = redis::cmd("SET");
    set.arg(name(number))
        .arg(vec![b'x'; PAYLOAD])
        .arg("PX")
        .arg(LIFE.as_millis() as u64)
        .arg(more);
    set.exec_async(connection).await.unwrap();
}

/// The work of the server since its start, as it reports it.
struct Work {
    commands: BTreeMap<String, (f64, f64)>,
    processor: f64,
}

impl Work {
    fn of(server: &RedisServer) -> Self {
        let field = |name| server.info("cpu", name).unwrap().parse::<f64>().unwrap();
        let processor = (field("used_cpu_user_main_thread") + field("used_cpu_sys_main_thread")) * 1e6;
        let text = server.command(&["INFO", "commandstats"]).text();
        let commands = text.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(':')?;
            let value = |name: &str| {
                rest.split(',')
                    .find_map(|field| field.strip_prefix(name)?.parse::<f64>().ok())
            };
            Some((name.to_owned(), (value("calls=")?, value("usec=")?)))
        });
        // Excludes the command that reads these numbers, and the one that proves once a second that the server is the
        // primary.
        let commands = commands.filter(|(name, _)| name != "info" && name != "del").collect();
        Self { commands, processor }
    }

    fn add_what_came(&self, server: &RedisServer, sum: &mut Sum) {
        let now = Self::of(server);
        sum.processor += now.processor - self.processor;
        for (name, (calls, busy)) in now.commands {
            let (calls_before, busy_before) = self.commands.get(&name).copied().unwrap_or_default();
            let entry = sum.commands.entry(name).or_default();
            *entry = (entry.0 + calls - calls_before, entry.1 + busy - busy_before);
        }
    }
}
