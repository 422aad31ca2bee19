//! What the tests of this crate share.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sessile_core::{Lookup, Meta, OsEntropy, Record, SessionId, SessionKey, Storage, Stored};
use sessile_redis::{RedisStorage, RedisStorageBuilder};
use sessile_testkit::redis::RedisServer;
use sessile_testkit::{Profile, Subject, Sweep};

/// A key that was never used before.
pub fn fresh() -> SessionKey {
    SessionId::generate(&OsEntropy).key()
}

/// A key and another in the same shard.
pub fn fresh_pair() -> (SessionKey, SessionKey) {
    let id = SessionId::generate(&OsEntropy);
    (id.key(), id.rotated(&OsEntropy).key())
}

/// A record that lives this long by the storage's clock.
pub fn record(storage: &RedisStorage, payload: &str, lives: Option<Duration>) -> Record {
    let now = storage.clock().now();
    Record::new(
        Meta::new(now).with_deadline(lives.map(|lives| now + lives)),
        payload.as_bytes().to_vec(),
    )
}

/// The payload that stands under a key now.
pub async fn payload(storage: &RedisStorage, key: &SessionKey) -> Lookup<String> {
    let found = storage.read(key).await.expect("a read");
    found.map(|Stored { record, .. }| String::from_utf8(record.payload.to_vec()).expect("a text"))
}

/// Whether a server sets a key on the condition that it has a certain value.
pub fn knows_conditions(server: &RedisServer) -> bool {
    let answer = server.command(&["SET", "no such key", "new", "IFEQ", "old"]);
    matches!(answer, sessile_testkit::redis::Reply::Nil)
}

/// Waits until something is so; fails if it takes too long.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "never {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A storage for the conformance kit, with a prefix of its own on servers that are shared.
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
        .with_tombstone(short)
        .with_max_waiters(8)
        // The clock lags by the way an answer takes, which is long on a machine that is busy testing.
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

/// Tries until it succeeds; fails if it takes too long.
pub async fn eventually(what: &str, attempt: impl AsyncFn() -> bool) {
    let start = std::time::Instant::now();
    while !attempt().await {
        assert!(start.elapsed() < Duration::from_secs(60), "never {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The user that the documentation makes.
pub fn rights() -> Vec<String> {
    let line = include_str!("../../README.md")
        .lines()
        .find_map(|line| line.strip_prefix("ACL SETUSER sessions "));
    let rights = line.expect("the rights are in the documentation").split(' ');
    rights.map(str::to_owned).collect()
}

/// Makes this user, with these rights and no others.
pub fn allow(server: &RedisServer, rights: &[String]) {
    let mut order = vec!["ACL", "SETUSER", "sessions", "reset"];
    order.extend(rights.iter().map(String::as_str));
    assert_eq!(server.command(&order).text(), "OK");
}
