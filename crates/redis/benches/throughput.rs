//! What the storage costs on top of the client: `cargo bench -p sessile-redis --bench throughput`.
//!
//! 64 tasks share one connection to a server that the bench starts. Rounds of the storage and rounds of the bare client,
//! which sends the very same commands over a connection set up in the same way, take turns; what is shown is the median
//! of each, and of their ratio.

#![allow(clippy::unwrap_used, reason = "a bench is no better than a test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, Value};
use sessile_core::{Entropy, LockToken, Meta, OsEntropy, Record, SessionId, SessionKey, Storage};
use sessile_redis::RedisStorage;
use sessile_testkit::redis::RedisServer;

const TASKS: usize = 64;

/// How many calls each task makes in a round, and how many rounds there are.
#[derive(Clone, Copy)]
struct Size {
    calls: usize,
    rounds: usize,
}

fn main() {
    let size = if std::env::args().any(|argument| argument == "--bench") {
        Size { calls: 500, rounds: 31 }
    } else {
        // Run as a test, it shows that it runs.
        Size { calls: 5, rounds: 1 }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = RedisServer::start();
        let storage = Arc::new(RedisStorage::connect(server.url()).await.unwrap());
        let bare = connect(&server.url()).await;
        let keys: Arc<Vec<_>> = Arc::new((0..TASKS).map(|_| SessionId::generate(&OsEntropy).key()).collect());
        for key in keys.iter() {
            storage.create(key, record(&storage)).await.unwrap();
        }
        let names: Arc<Vec<_>> = Arc::new(keys.iter().map(|key| find(&server, key)).collect());
        let scripts = Arc::new(Scripts::load(&server, &storage, &keys[0]).await);
        println!("{TASKS} tasks, one connection, payload of 65 bytes");

        let read = (Arc::clone(&storage), Arc::clone(&keys));
        let get = (bare.clone(), Arc::clone(&names));
        compare(
            "read, and a bare GET",
            size,
            move |task| {
                let (storage, keys) = read.clone();
                async move {
                    storage.read(&keys[task]).await.unwrap().found().unwrap();
                }
            },
            move |task| {
                let (mut bare, names) = get.clone();
                async move {
                    let mut cmd = redis::cmd("GET");
                    cmd.arg(&names[task]);
                    let value = bare.send_packed_command(&cmd).await.unwrap();
                    assert!(matches!(value, Value::BulkString(_)));
                }
            },
        )
        .await;

        let change = (Arc::clone(&storage), Arc::clone(&keys));
        let pair = (bare, names, scripts);
        compare(
            "lock and commit, and the bare pair of scripts",
            size,
            move |task| {
                let (storage, keys) = change.clone();
                async move {
                    let mut locked = storage
                        .lock(&keys[task], Duration::from_secs(10))
                        .await
                        .unwrap()
                        .found()
                        .unwrap();
                    let mut next = locked.record;
                    next.meta.version += 1;
                    storage.commit(&mut locked.lock, next).await.unwrap();
                }
            },
            move |task| {
                let (bare, names, scripts) = pair.clone();
                async move { scripts.pair(bare, &names[task]).await }
            },
        )
        .await;
    });
}

/// Lets both take turns, and shows how fast they were.
async fn compare<A, B>(
    name: &str,
    size: Size,
    ours: impl Fn(usize) -> A + Clone + Send + 'static,
    bare: impl Fn(usize) -> B + Clone + Send + 'static,
) where
    A: Future<Output = ()> + Send + 'static,
    B: Future<Output = ()> + Send + 'static,
{
    let (mut our_rates, mut bare_rates, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..size.rounds {
        let bare = round(size.calls, bare.clone()).await;
        let ours = round(size.calls, ours.clone()).await;
        our_rates.push(ours);
        bare_rates.push(bare);
        ratios.push(ours / bare);
    }
    println!(
        "{name}: {:.0} and {:.0} a second, ratio {:.2}",
        median(our_rates),
        median(bare_rates),
        median(ratios),
    );
}

/// How many calls a second all tasks make together.
async fn round<F>(calls: usize, call: impl Fn(usize) -> F + Clone + Send + 'static) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let start = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let call = call.clone();
            tokio::spawn(async move {
                for _ in 0..calls {
                    call(task).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    (TASKS * calls) as f64 / start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn record(storage: &RedisStorage) -> Record {
    let now = storage.clock().now();
    let meta = Meta::new(now).with_deadline(Some(now + Duration::from_secs(3_600)));
    Record::new(meta, vec![b'x'; 65])
}

/// A connection as the storage makes it.
async fn connect(url: &str) -> MultiplexedConnection {
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

/// The name of a session's record.
fn find(server: &RedisServer, key: &SessionKey) -> String {
    let pattern = format!("sessile:{{{}}}:*", key.shard());
    server.command(&["KEYS", &pattern]).items()[0].text()
}

/// The scripts of the storage, called without it.
struct Scripts {
    lock: String,
    commit: String,
    value: Vec<u8>,
    expires: String,
}

impl Scripts {
    async fn load(server: &RedisServer, storage: &RedisStorage, key: &SessionKey) -> Self {
        let load = |source: &str| server.command(&["SCRIPT", "LOAD", source]).text();
        let name = find(server, key);
        let value = match server.command(&["GET", &name]) {
            sessile_testkit::redis::Reply::Text(value) => value,
            other => panic!("{other:?}"),
        };
        let lives = storage.clock().now() + Duration::from_secs(3_600);
        Self {
            lock: load(concat!(
                include_str!("../src/scripts/answer.lua"),
                include_str!("../src/scripts/take.lua"),
                include_str!("../src/scripts/lock.lua"),
            )),
            commit: load(concat!(
                include_str!("../src/scripts/answer.lua"),
                include_str!("../src/scripts/queue.lua"),
                include_str!("../src/scripts/commit.lua"),
            )),
            value,
            expires: lives.as_millis().to_string(),
        }
    }

    async fn pair(&self, mut connection: MultiplexedConnection, name: &str) {
        let (lock, queue) = (format!("{name}:lock"), format!("{name}:wait"));
        let mut token = [0; 16];
        OsEntropy.fill(&mut token);
        let token = LockToken::from_bytes(token);
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&self.lock).arg(3).arg(name).arg(&lock).arg(&queue);
        cmd.arg(token.as_bytes()).arg(30_000).arg("").arg(10_000);
        let locked = connection.send_packed_command(&cmd).await.unwrap();
        assert!(
            matches!(&locked, Value::Array(items) if items[0] == Value::Int(1)),
            "{locked:?}"
        );
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&self.commit).arg(3).arg(name).arg(&lock).arg(&queue);
        cmd.arg(token.as_bytes()).arg(&self.value).arg(&self.expires);
        let committed = connection.send_packed_command(&cmd).await.unwrap();
        assert!(
            matches!(&committed, Value::Array(items) if items[0] == Value::Int(1)),
            "{committed:?}"
        );
    }
}
