//! A server does nothing for longer than calls may take, as during a fork for a snapshot.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile_core::{Storage, StorageErrorKind};
use sessile_lab::redis::RedisServer;
use sessile_redis::{RedisServers, RedisStorage};

use crate::load::Load;
use crate::visits::{sessions, visit};

/// The time for which a lock without a holder would block a session.
const LEASE: Duration = Duration::from_secs(60);
const STALL: Duration = Duration::from_secs(5);

/// The time limit of a call.
const TIMEOUT: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_stall_no_session_is_locked_without_a_holder() {
    let server = RedisServer::start();
    let process = async || {
        let servers = RedisServers::single(server.url()).timeout(TIMEOUT);
        Arc::new(RedisStorage::builder(servers).lease(LEASE).connect().await.unwrap())
    };
    let (one, two, witness) = (process().await, process().await, process().await);
    let keys = Arc::new(sessions(&one, 100).await);
    // All sessions are visited when the server stops, some by two callers, and failed visits are repeated.
    let load = {
        let (one, two, keys) = (Arc::clone(&one), Arc::clone(&two), Arc::clone(&keys));
        Load::start(150, move |caller, _| {
            let storage = Arc::clone(if caller < 100 { &one } else { &two });
            let key = keys[caller % 100];
            async move { visit(&storage, &key).await.map(drop) }
        })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.stall(STALL);
    tokio::time::sleep(STALL).await;
    let tally = load.end().await;
    println!("{tally}");
    assert!(!tally.failed.is_empty(), "the stall was not noticed");
    let passing = [
        StorageErrorKind::Timeout,
        StorageErrorKind::Unavailable,
        StorageErrorKind::LockTimeout,
    ];
    tally.fails_only_with(&passing, "visits");

    let start = Instant::now();
    let locking: Vec<_> = keys
        .iter()
        .map(|key| {
            let (witness, key) = (Arc::clone(&witness), *key);
            tokio::spawn(async move {
                // The server may be busy with its backlog, and refuse a request or two.
                while start.elapsed() < LEASE / 4 {
                    if let Ok(found) = witness.lock(&key, Duration::from_secs(5)).await {
                        assert!(found.is_found());
                        return true;
                    }
                }
                false
            })
        })
        .collect();
    let mut locked = 0;
    for task in locking {
        locked += usize::from(!task.await.unwrap());
    }
    println!("all were asked for within {:?}", start.elapsed());
    assert_eq!(locked, 0, "of 100 sessions this many are locked without a holder");
}
