//! A replica that stalls while logouts wait for it, and takes over in the end.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Lookup, SessionKey, Storage, StorageError, StorageErrorKind};
use sessile_lab::redis::{Proxy, RedisServer};
use sessile_redis::{RedisServers, RedisStorage, ReplicationShortfall};

use crate::load::Load;
use crate::support::eventually;
use crate::visits::{TIMEOUT, sessions, visit};

/// The time limit for replicas.
const WAIT: Duration = Duration::from_millis(200);

/// A primary behind a name, its replica, and two processes.
struct Pair {
    primary: RedisServer,
    replica: RedisServer,
    name: Proxy,
    one: Arc<RedisStorage>,
    two: Arc<RedisStorage>,
}

impl Pair {
    async fn start() -> Self {
        let primary = RedisServer::start_with(&["repl-diskless-sync-delay 0"]);
        let replica = RedisServer::start_with(&[&format!("replicaof 127.0.0.1 {}", primary.port())]);
        eventually("followed", async || replica.follows()).await;
        let name = Proxy::to(primary.port());
        let process = async || {
            let servers = RedisServers::single(name.url()).timeout(TIMEOUT);
            let storage = RedisStorage::builder(servers).durable(1, WAIT);
            Arc::new(storage.connect().await.expect("a connection"))
        };
        let (one, two) = (process().await, process().await);
        Self {
            primary,
            replica,
            name,
            one,
            two,
        }
    }

    /// Waits until the replica has all writes.
    async fn replicated(&self) {
        eventually("replicated", async || {
            self.replica.follows()
                && self.primary.info("replication", "master_repl_offset")
                    == self.replica.info("replication", "slave_repl_offset")
        })
        .await;
    }

    /// Kills the primary, and lets the replica take over with what it has.
    fn replace(&mut self) {
        self.primary.kill();
        self.replica.resume();
        self.replica.promote();
        self.name.lead_to(self.replica.port());
    }
}

fn fell_short(outcome: Result<Lookup<()>, StorageError>) {
    let error = outcome.expect_err("no replica has it");
    let source = std::error::Error::source(&error);
    let shortfall = source.and_then(|source| source.downcast_ref::<ReplicationShortfall>());
    assert_eq!(shortfall.map(|shortfall| shortfall.reached), Some(0), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_is_never_acknowledged_without_the_replica_however_often_it_is_tried() {
    let pair = Pair::start().await;
    let keys = sessions(&pair.one, 3).await;
    let (visited, cut, twice) = (keys[0], keys[1], keys[2]);
    pair.replicated().await;
    let others = {
        let storage = Arc::clone(&pair.two);
        Load::start(5, move |_, _| {
            let storage = Arc::clone(&storage);
            async move { visit(&storage, &visited).await.map(drop) }
        })
    };
    pair.replica.pause();
    fell_short(pair.one.destroy(&twice).await);
    // By the same process, by another, and again.
    for storage in [&pair.one, &pair.two, &pair.one, &pair.two] {
        fell_short(storage.destroy(&twice).await);
    }
    others.end().await.is_clean("visits, which wait for no replica");

    // The connection breaks during the wait for the replica, and the logout is sent again on another.
    let logout = tokio::spawn({
        let one = Arc::clone(&pair.one);
        async move { one.destroy(&cut).await }
    });
    let is_waiting = || {
        let clients = pair.primary.command(&["INFO", "clients"]).text();
        clients.contains("blocked_clients:1")
    };
    eventually("waited for", async || is_waiting() || logout.is_finished()).await;
    pair.name.hang_up();
    let outcome = logout.await.unwrap();
    let error = outcome.expect_err("no replica has it");
    assert_eq!(error.kind(), StorageErrorKind::Unavailable, "{error:?}");

    pair.replica.resume();
    pair.replicated().await;
    for key in [cut, twice] {
        eventually("acknowledged", async || pair.one.destroy(&key).await.is_ok()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_that_was_acknowledged_holds_after_the_replica_has_taken_over() {
    let mut pair = Pair::start().await;
    let (keys, last) = (sessions(&pair.one, 50).await, sessions(&pair.one, 5).await);
    pair.replicated().await;
    // Both processes log each session out, repeatedly until one of them succeeds, while the replica comes and goes.
    let logging_out: Vec<_> = keys
        .iter()
        .enumerate()
        .map(|(number, key)| {
            let (one, two, key) = (Arc::clone(&pair.one), Arc::clone(&pair.two), *key);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20) * u32::try_from(number).unwrap()).await;
                for storage in [&one, &two, &one, &two] {
                    if storage.destroy(&key).await.is_ok() {
                        return Some(key);
                    }
                }
                None::<SessionKey>
            })
        })
        .collect();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        // Writes from now on never reach the replica, as in a partition.
        pair.replica.pause();
        pair.primary.command(&["CLIENT", "KILL", "TYPE", "replica"]);
        tokio::time::sleep(Duration::from_millis(300)).await;
        pair.replica.resume();
        pair.replicated().await;
    }
    pair.replica.pause();
    pair.primary.command(&["CLIENT", "KILL", "TYPE", "replica"]);
    let mut acknowledged = Vec::new();
    for task in logging_out {
        acknowledged.extend(task.await.unwrap());
    }
    // The replica does not come back, and nothing is acknowledged.
    for key in &last {
        fell_short(pair.one.destroy(key).await);
        fell_short(pair.two.destroy(key).await);
    }
    pair.replace();
    println!("{} of {} logouts were acknowledged", acknowledged.len(), keys.len());
    assert!(!acknowledged.is_empty());
    for key in acknowledged {
        eventually("read", async || pair.two.read(&key).await.is_ok()).await;
        assert_eq!(
            pair.two.read(&key).await.unwrap(),
            Lookup::Missing,
            "a logout is undone"
        );
    }
}
