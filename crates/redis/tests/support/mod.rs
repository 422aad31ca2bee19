//! Support for the tests of this crate.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sessile_core::{Facts, Lookup, Meta, OsEntropy, Record, SessionId, SessionKey, Storage, Stored};
use sessile_lab::redis::RedisServer;
use sessile_redis::{RedisStorage, RedisStorageBuilder};
use sessile_testkit::{Profile, Subject, Sweep};

/// Returns a key that was never used before.
pub fn fresh() -> SessionKey {
    SessionId::generate(&OsEntropy).key()
}

/// Returns a key and another in the same shard.
pub fn fresh_pair() -> (SessionKey, SessionKey) {
    let id = SessionId::generate(&OsEntropy);
    (id.key(), id.rotated(&OsEntropy).key())
}

/// Returns a record that lives this long by the storage's clock.
pub fn record(storage: &RedisStorage, payload: &str, lives: Option<Duration>) -> Record {
    let now = storage.clock().now();
    Record::new(
        Meta::new(now).with_deadline(lives.map(|lives| now + lives)),
        payload.as_bytes().to_vec(),
    )
}

/// Returns facts of this length in bytes, which is neither 1 nor 130.
pub fn facts(length: usize) -> Facts {
    let bytes = match length {
        0 => Vec::new(),
        2..130 => [&[0x63, (length - 2) as u8][..], &vec![b'x'; length - 2]].concat(),
        _ => {
            let content = length - 3;
            let head = [0x63, content as u8 | 0x80, (content >> 7) as u8];
            [&head[..], &vec![b'x'; content]].concat()
        }
    };
    let facts = Facts::from_bytes(&bytes).expect("one element that no version knows");
    assert_eq!(facts.as_bytes().len(), length);
    facts
}

/// Returns the payload under a key.
pub async fn payload(storage: &RedisStorage, key: &SessionKey) -> Lookup<String> {
    let found = storage.read(key).await.expect("a read");
    found.map(|Stored { record, .. }| String::from_utf8(record.payload.to_vec()).expect("a text"))
}

/// Returns whether a server supports conditional SET.
pub fn supports_conditional_set(server: &RedisServer) -> bool {
    let reply = server.command(&["SET", "no such key", "new", "IFEQ", "old"]);
    matches!(reply, sessile_lab::redis::Reply::Nil)
}

/// Waits until a condition holds; fails if that takes too long.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "never {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Returns a storage for the conformance kit, with a prefix of its own on shared servers.
pub async fn subject(
    builder: impl Fn() -> RedisStorageBuilder,
    servers: impl Fn() -> Vec<&'static RedisServer> + Send + Sync + 'static,
) -> Subject {
    static SUBJECTS: AtomicU64 = AtomicU64::new(0);
    let prefix = format!("kit-{}:", SUBJECTS.fetch_add(1, Ordering::Relaxed));
    let short = Duration::from_secs(2);
    let connect = async || {
        let builder = builder()
            .prefix(&prefix)
            .lease(short)
            .tombstone_ttl(short)
            .max_waiters(8);
        builder.connect().await.expect("a connection")
    };
    let profile = Profile::real()
        .with_tombstone_ttl(short)
        .with_max_waiters(8)
        // The clock lags by the latency of a reply, which is high on a busy machine.
        .with_skew(Duration::from_millis(200))
        .with_sweep(Sweep::Silent);
    let (storage, second) = (connect().await, connect().await);
    let pattern = format!("{prefix}*");
    let count = move || -> usize {
        servers()
            .iter()
            .map(|server| server.command(&["KEYS", &pattern]).items().len())
            .sum()
    };
    Subject::new(storage, profile)
        .with_second(second)
        .with_footprint(move || std::future::ready(count()))
}

/// Repeats an attempt until it succeeds; fails if that takes too long.
pub async fn eventually(what: &str, attempt: impl AsyncFn() -> bool) {
    let start = std::time::Instant::now();
    while !attempt().await {
        assert!(start.elapsed() < Duration::from_secs(60), "never {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns the permissions of the documented user.
pub fn permissions() -> Vec<String> {
    let line = include_str!("../../README.md")
        .lines()
        .find_map(|line| line.strip_prefix("ACL SETUSER sessions "));
    let permissions = line.expect("the rights are in the documentation").split(' ');
    permissions.map(str::to_owned).collect()
}

/// Creates the user with exactly these permissions.
pub fn allow(server: &RedisServer, permissions: &[String]) {
    let mut order = vec!["ACL", "SETUSER", "sessions", "reset"];
    order.extend(permissions.iter().map(String::as_str));
    assert_eq!(server.command(&order).text(), "OK");
}
