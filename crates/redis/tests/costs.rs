//! What a request costs: commands, round trips, memory.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::time::Duration;

use sessile_core::{Lookup, Storage, Timestamp};
use sessile_redis::RedisStorage;
use sessile_testkit::redis::{Proxy, RedisServer};
use support::{fresh, fresh_pair, record};

const MINUTE: Duration = Duration::from_secs(60);

/// A storage whose every word is counted, connected and with its scripts loaded.
async fn setup() -> (RedisServer, Proxy, RedisStorage) {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let storage = RedisStorage::connect(proxy.url()).await.unwrap();
    let (old, new) = fresh_pair();
    storage.create(&old, record(&storage, "", None)).await.unwrap();
    let mut locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
    storage.renew(&locked.lock.ticket()).await.unwrap();
    storage.commit(&mut locked.lock, locked.record).await.unwrap();
    let locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
    storage.release(locked.lock).await.unwrap();
    let mut locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
    storage
        .rotate(&mut locked.lock, &new, locked.record, MINUTE)
        .await
        .unwrap();
    storage.read(&old).await.unwrap();
    storage.touch(&new, 1, None, Timestamp::MAX).await.unwrap();
    storage.destroy(&new).await.unwrap();
    let _ = proxy.commands();
    let _ = proxy.round_trips();
    (server, proxy, storage)
}

/// What was said since the last time, and in how many turns; but for the command by which, once a second, the server
/// shows that it is the primary, and which takes no turn of its own.
fn said(proxy: &Proxy) -> (Vec<String>, usize) {
    let (mut commands, turns) = (proxy.commands(), proxy.round_trips());
    commands.retain(|command| command != "DEL");
    (commands, turns)
}

fn only<const N: usize>(commands: [&str; N]) -> (Vec<String>, usize) {
    (commands.map(str::to_owned).to_vec(), N)
}

#[tokio::test]
async fn every_request_costs_what_is_written() {
    let (server, proxy, storage) = setup().await;
    let (key, next) = fresh_pair();

    storage.create(&key, record(&storage, "x", Some(MINUTE))).await.unwrap();
    assert_eq!(said(&proxy), only(["EVALSHA"]), "a new session");

    storage.read(&key).await.unwrap();
    assert_eq!(said(&proxy), only(["GET"]), "reading");

    let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    storage.commit(&mut locked.lock, locked.record).await.unwrap();
    assert_eq!(said(&proxy), only(["EVALSHA", "EVALSHA"]), "changing under a lock");

    let locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    storage.release(locked.lock).await.unwrap();
    assert_eq!(said(&proxy), only(["EVALSHA", "EVALSHA"]), "not changing under a lock");

    storage.touch(&key, 1, None, Timestamp::MAX).await.unwrap();
    assert_eq!(said(&proxy), only(["EVALSHA"]), "touching");

    let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    storage
        .rotate(&mut locked.lock, &next, locked.record, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(
        said(&proxy),
        only(["EVALSHA", "EVALSHA"]),
        "the rotation is within the commit"
    );

    assert_eq!(storage.read(&key).await.unwrap(), Lookup::Superseded);
    assert_eq!(said(&proxy), only(["GET"]), "reading where a tombstone stands");

    storage.destroy(&next).await.unwrap();
    assert_eq!(said(&proxy), only(["EVALSHA"]), "logging out");

    let before = server.command(&["DBSIZE"]);
    assert_eq!(storage.read(&fresh()).await.unwrap(), Lookup::Missing);
    assert_eq!(said(&proxy), only(["GET"]), "an unknown id");
    assert!(matches!(storage.lock(&fresh(), MINUTE).await.unwrap(), Lookup::Missing));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(said(&proxy), only(["EVALSHA"]), "an unknown id, to be locked");
    assert_eq!(server.command(&["DBSIZE"]), before, "and nothing is left behind");
}

#[tokio::test]
async fn an_alias_costs_one_command_more() {
    let (_server, proxy, storage) = setup().await;
    let (old, new) = fresh_pair();
    storage.create(&old, record(&storage, "x", Some(MINUTE))).await.unwrap();
    let mut locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
    storage
        .rotate(&mut locked.lock, &new, locked.record, MINUTE)
        .await
        .unwrap();
    said(&proxy);
    // A plain GET shows the alias; a script knows whether its time is over, and has the record.
    assert!(storage.read(&old).await.unwrap().is_found());
    assert_eq!(said(&proxy), only(["GET", "EVALSHA"]));
    let locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
    assert_eq!(said(&proxy), only(["EVALSHA", "EVALSHA"]));
    storage.release(locked.lock).await.unwrap();
    said(&proxy);
    assert_eq!(storage.destroy(&old).await.unwrap(), Lookup::Found(()));
    assert_eq!(
        said(&proxy),
        only(["EVALSHA", "EVALSHA"]),
        "logging out by an id that was replaced"
    );
}

#[tokio::test]
async fn the_server_counts_the_same() {
    let (server, _proxy, storage) = setup().await;
    server.command(&["CONFIG", "RESETSTAT"]);
    let key = fresh();
    storage.create(&key, record(&storage, "x", Some(MINUTE))).await.unwrap();
    for _ in 0..10 {
        storage.read(&key).await.unwrap();
        let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
        storage.commit(&mut locked.lock, locked.record).await.unwrap();
    }
    storage.destroy(&key).await.unwrap();
    assert_eq!(server.calls("evalsha"), 2 * 10 + 2);
    assert_eq!(server.calls("eval"), 0);
    assert_eq!(server.calls("script|load"), 0);
}

#[tokio::test]
async fn a_session_takes_little_memory() {
    const SESSIONS: u64 = 20_000;
    let server = RedisServer::start();
    let storage = RedisStorage::connect(server.url()).await.unwrap();
    let used = || server.info("memory", "used_memory").unwrap().parse::<u64>().unwrap();
    let before = used();
    let payload = "x".repeat(65);
    for _ in 0..SESSIONS {
        storage
            .create(&fresh(), record(&storage, &payload, Some(MINUTE * 20)))
            .await
            .unwrap();
    }
    assert_eq!(server.command(&["DBSIZE"]).text(), SESSIONS.to_string());
    let each = (used() - before) / SESSIONS;
    println!("{each} bytes a session with a payload of 65 bytes");
    // The tables double at powers of two; just above one, as here, they are at their emptiest.
    assert!(each <= 340, "{each} bytes");

    // The lock of a session has its place in the record, so one that is locked takes nothing more.
    let key = fresh();
    storage.create(&key, record(&storage, &payload, None)).await.unwrap();
    let locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    assert_eq!(server.command(&["DBSIZE"]).text(), (SESSIONS + 1).to_string());
    storage.release(locked.lock).await.unwrap();
    assert_eq!(server.command(&["DBSIZE"]).text(), (SESSIONS + 1).to_string());
}
