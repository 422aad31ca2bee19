//! What the tests of this crate share.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

pub mod redis_server;

use std::time::Duration;

use sessile_core::{Clock, Lookup, Meta, OsEntropy, Record, SessionId, SessionKey, Storage, Stored};
use sessile_redis::RedisStorage;

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

/// Waits until something is so; fails if it takes too long.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "never {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
