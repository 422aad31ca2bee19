//! The calls of callers, and their connections.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Lookup, SessionKey, Storage, StorageError};
use sessile_lab::redis::{Admin, RedisCluster, RedisServer, Reply};
use sessile_redis::{RedisServers, RedisStorage};

use crate::support::{fresh, record};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// The time limit of a call here: healthy servers are never near it, even on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(3);

/// Returns a separate process, as far as the servers can tell.
pub(crate) async fn process(servers: impl Into<RedisServers>) -> Arc<RedisStorage> {
    let storage = RedisStorage::builder(servers.into().timeout(TIMEOUT));
    Arc::new(storage.connect().await.expect("a connection"))
}

/// Stores sessions under new keys.
pub(crate) async fn sessions(storage: &RedisStorage, count: usize) -> Vec<SessionKey> {
    let mut keys = Vec::new();
    for _ in 0..count {
        let key = fresh();
        create(storage, &key).await.unwrap();
        keys.push(key);
    }
    keys
}

pub(crate) async fn create(storage: &RedisStorage, key: &SessionKey) -> Result<(), StorageError> {
    storage.create(key, record(storage, "x", Some(10 * MINUTE))).await
}

/// Visits a session: reads, then writes under the lock. Returns whether the session existed.
pub(crate) async fn visit(storage: &RedisStorage, key: &SessionKey) -> Result<bool, StorageError> {
    storage.read(key).await?;
    match storage.lock(key, MINUTE).await? {
        Lookup::Found(mut locked) => {
            let record = record(storage, "y", Some(10 * MINUTE));
            storage.commit(&mut locked.lock, record).await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Runs a login, a visit and a logout of a new session.
pub(crate) async fn life(storage: &RedisStorage, key: &SessionKey) -> Result<(), StorageError> {
    create(storage, key).await?;
    visit(storage, key).await?;
    storage.destroy(key).await?;
    Ok(())
}

/// Returns another key of the same shard.
pub(crate) fn same_shard(key: &SessionKey, number: u32) -> SessionKey {
    format!("{}:{number:064x}", key.shard()).parse().unwrap()
}

/// The slots and keys of the nodes of a new cluster.
pub(crate) struct Slots(Admin);

impl Slots {
    pub(crate) fn of(cluster: &RedisCluster) -> Self {
        Self(cluster.nodes()[0].admin())
    }

    pub(crate) fn slot(&mut self, key: &SessionKey) -> u16 {
        let tag = format!("{{{}}}", key.shard());
        self.0.command(&["CLUSTER", "KEYSLOT", &tag]).text().parse().unwrap()
    }

    /// Returns new keys in slots of this primary, as long as no slot has moved.
    pub(crate) fn keys_on(&mut self, node: usize, count: usize) -> Vec<SessionKey> {
        let mut keys = Vec::new();
        while keys.len() < count {
            let key = fresh();
            if usize::from(self.slot(&key)) * 3 / 16_384 == node {
                keys.push(key);
            }
        }
        keys
    }
}

/// Returns how many processes have entries in the queues of this server.
pub(crate) fn queued(server: &RedisServer) -> i64 {
    let keys = server.command(&["KEYS", "*"]);
    let lengths = keys.items().iter().map(|key| {
        let Reply::Text(key) = key else { return 0 };
        match server.command_bytes(&[b"LLEN", key]) {
            Reply::Int(length) => length,
            // The key is not a list.
            _ => 0,
        }
    });
    lengths.sum()
}
