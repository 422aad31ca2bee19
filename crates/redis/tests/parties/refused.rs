//! A server that refuses connections, because the password is wrong or there are too many clients.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile_core::StorageErrorKind;
use sessile_lab::redis::{Admin, Proxy, RedisServer};
use sessile_redis::{RedisServers, RedisStorage};

use crate::load::Load;
use crate::support::eventually;
use crate::visits::{TIMEOUT, sessions, visit};

const REFUSED: Duration = Duration::from_secs(3);

/// The limit of attempts of a refused process while twenty callers call two hundred times a second each: a few times a
/// second for each of its connections, not once for each call.
const DIALS: u64 = 20 * REFUSED.as_secs();

/// A process loses its connections and is refused; another keeps its connections.
async fn dials_with_patience(refuse: impl Fn(&mut Admin), admit: impl Fn(&mut Admin), kinds: &[StorageErrorKind]) {
    let server = RedisServer::start_with(&["requirepass one"]);
    let mut admin = server.admin();
    admin.command(&["AUTH", "one"]);
    let (proxy, open) = (Proxy::to(server.port()), Proxy::to(server.port()));
    let process = async |proxy: &Proxy| {
        let servers = RedisServers::single(proxy.url()).password("one").timeout(TIMEOUT);
        Arc::new(RedisStorage::builder(servers).connect().await.unwrap())
    };
    let (shut_out, inside) = (process(&proxy).await, process(&open).await);
    let load = async |storage: &Arc<RedisStorage>| {
        let (storage, keys) = (Arc::clone(storage), Arc::new(sessions(storage, 20).await));
        Load::start(20, move |caller, _| {
            let (storage, key) = (Arc::clone(&storage), keys[caller]);
            async move { visit(&storage, &key).await.map(|found| assert!(found)) }
        })
    };
    let (refused, well) = (load(&shut_out).await, load(&inside).await);
    tokio::time::sleep(Duration::from_millis(300)).await;
    refuse(&mut admin);
    let (_, _) = (proxy.accepted(), open.accepted());
    proxy.hang_up();
    tokio::time::sleep(REFUSED).await;
    let dials = proxy.accepted();
    admit(&mut admin);
    let start = Instant::now();
    let key = sessions_in_time(&shut_out).await;
    let recovered = start.elapsed();
    let (refused, well) = (refused.end().await, well.end().await);
    println!("{dials} connections tried in {REFUSED:?}; back after {recovered:?}\nrefused: {refused}\ninside: {well}");
    assert!(visit(&shut_out, &key).await.unwrap());
    well.is_clean("who is inside");
    assert_eq!(open.accepted(), 0, "who is inside needs no connection");
    assert!(!refused.failed.is_empty(), "nothing was refused: {refused}");
    refused.fails_only_with(kinds, "who is refused");
    assert!(dials <= DIALS, "{dials} connections tried in {REFUSED:?}");
    assert!(recovered < Duration::from_secs(10), "back after {recovered:?}");
}

async fn sessions_in_time(storage: &RedisStorage) -> sessile_core::SessionKey {
    let key = crate::support::fresh();
    eventually("let in", async || {
        crate::visits::create(storage, &key).await.is_ok() || visit(storage, &key).await.is_ok_and(|found| found)
    })
    .await;
    key
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_causes_no_storm_of_connections() {
    dials_with_patience(
        |admin| admin.set_password("two"),
        |admin| admin.set_password("one"),
        // The connections themselves were cut.
        &[
            StorageErrorKind::Denied,
            StorageErrorKind::Unavailable,
            StorageErrorKind::Timeout,
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_a_server_with_too_many_clients_are_limited() {
    dials_with_patience(
        |admin| admin.limit_clients(1),
        |admin| admin.limit_clients(10_000),
        &[StorageErrorKind::Unavailable, StorageErrorKind::Timeout],
    )
    .await;
}
