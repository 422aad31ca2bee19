//! The cost of the storage on top of the client.
//!
//! The tasks share one connection. Rounds of the storage alternate with rounds of the bare client, which sends the same
//! commands over a connection with the same setup. The table shows the median of each, and of their ratio.

#![allow(clippy::unwrap_used, reason = "a bench is no better than a test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};
use sessile_core::{Meta, OsEntropy, Record, SessionId, SessionKey, Storage};
use sessile_lab::redis::{RedisServer, Reply};
use sessile_redis::RedisStorage;

use super::TASKS;
use super::scripts::Scripts;
use crate::statistics::median;
use crate::table::Table;
use crate::{Failure, contenders, driver};

/// The number of calls of each task in a round.
const CALLS: usize = 100;
const ROUNDS: usize = 31;

pub(crate) fn run() -> Result<(), Failure> {
    println!(
        "{TASKS} tasks, one connection, {} bytes of payload: the storage, and the same commands without it.",
        PAYLOAD.len()
    );
    println!("Medians of {ROUNDS} interleaved rounds of {} calls.\n", TASKS * CALLS);
    let mut table = Table::new(["call", "storage/s", "bare commands", "bare/s", "ratio"]);
    driver::threads(2).block_on(async {
        let server = RedisServer::start();
        let wire = Arc::new(Wire::new(&server).await);

        let (ours, bare) = (Arc::clone(&wire), Arc::clone(&wire));
        let figures = compare(
            move |task| {
                let wire = Arc::clone(&ours);
                async move { wire.read(task).await }
            },
            move |task| {
                let wire = Arc::clone(&bare);
                async move { wire.get(task).await }
            },
        )
        .await;
        table.row(figures.row("read", "GET"));

        let (ours, bare) = (Arc::clone(&wire), Arc::clone(&wire));
        let figures = compare(
            move |task| {
                let wire = Arc::clone(&ours);
                async move { wire.change(task).await }
            },
            move |task| {
                let wire = Arc::clone(&bare);
                async move { wire.scripts.pair(wire.bare.clone(), &wire.names[task]).await }
            },
        )
        .await;
        table.row(figures.row("lock and commit", "pair of EVALSHA"));
    });
    table.print();
    Ok(())
}

const PAYLOAD: &[u8] = contenders::NOTE.as_bytes();

/// The storage and the bare connection, with a session for each task.
struct Wire {
    storage: RedisStorage,
    bare: MultiplexedConnection,
    keys: Vec<SessionKey>,
    /// The names of the records in Redis.
    names: Vec<String>,
    scripts: Scripts,
}

impl Wire {
    async fn new(server: &RedisServer) -> Self {
        let storage = RedisStorage::connect(server.url()).await.unwrap();
        let keys: Vec<_> = (0..TASKS).map(|_| SessionId::generate(&OsEntropy).key()).collect();
        let now = storage.clock().now();
        let expires = now + Duration::from_secs(3_600);
        for key in &keys {
            let meta = Meta::new(now).with_deadline(Some(expires));
            storage.create(key, Record::new(meta, PAYLOAD.to_vec())).await.unwrap();
        }
        let names: Vec<_> = keys.iter().map(|key| find(server, key)).collect();
        let value = match server.command(&["GET", &names[0]]) {
            Reply::Text(value) => value,
            other => panic!("{other:?}"),
        };
        Self {
            scripts: Scripts::load(server, value, expires),
            bare: connect(&server.url()).await,
            storage,
            keys,
            names,
        }
    }

    async fn read(&self, task: usize) {
        self.storage.read(&self.keys[task]).await.unwrap().found().unwrap();
    }

    async fn get(&self, task: usize) {
        let mut cmd = redis::cmd("GET");
        cmd.arg(&self.names[task]);
        let value = self.bare.clone().send_packed_command(&cmd).await.unwrap();
        assert!(matches!(value, redis::Value::BulkString(_)));
    }

    async fn change(&self, task: usize) {
        let locked = self.storage.lock(&self.keys[task], Duration::from_secs(10)).await;
        let mut locked = locked.unwrap().found().unwrap();
        let mut next = locked.record;
        next.meta.version += 1;
        self.storage.commit(&mut locked.lock, next).await.unwrap();
    }
}

struct Figures {
    ours: f64,
    bare: f64,
    ratio: f64,
}

impl Figures {
    fn row(&self, call: &str, bare: &str) -> [String; 5] {
        let Self {
            ours,
            bare: rate,
            ratio,
        } = self;
        [
            call.to_owned(),
            format!("{ours:.0}"),
            bare.to_owned(),
            format!("{rate:.0}"),
            format!("{ratio:.2}"),
        ]
    }
}

/// Alternates the two, and returns their rates.
async fn compare<A, B>(
    ours: impl Fn(usize) -> A + Clone + Send + 'static,
    bare: impl Fn(usize) -> B + Clone + Send + 'static,
) -> Figures
where
    A: Future<Output = ()> + Send + 'static,
    B: Future<Output = ()> + Send + 'static,
{
    let (mut our_rates, mut bare_rates, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let bare = round(bare.clone()).await;
        let ours = round(ours.clone()).await;
        our_rates.push(ours);
        bare_rates.push(bare);
        ratios.push(ours / bare);
    }
    Figures {
        ours: median(our_rates),
        bare: median(bare_rates),
        ratio: median(ratios),
    }
}

/// Returns the calls per second of all tasks together.
async fn round<F>(call: impl Fn(usize) -> F + Clone + Send + 'static) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let start = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let call = call.clone();
            tokio::spawn(async move {
                for _ in 0..CALLS {
                    call(task).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    (TASKS * CALLS) as f64 / start.elapsed().as_secs_f64()
}

/// Returns a connection with the same setup as that of the storage.
pub(super) async fn connect(url: &str) -> MultiplexedConnection {
    let info: ConnectionInfo = url.into_connection_info().unwrap();
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let tcp = redis::io::tcp::TcpSettings::default().set_nodelay(true);
    let client = Client::open(info.set_redis_settings(settings).set_tcp_settings(tcp)).unwrap();
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(Some(Duration::from_secs(2)))
        .set_pipeline_buffer_size(1_024);
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .unwrap()
}

/// Returns the name of a session's record.
fn find(server: &RedisServer, key: &SessionKey) -> String {
    let pattern = format!("sessile:{{{}}}:*", key.shard());
    server.command(&["KEYS", &pattern]).items()[0].text()
}
