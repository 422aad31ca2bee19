//! The costs of a request: commands, round trips, memory.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sessile_core::{Lookup, Storage, Timestamp};
use sessile_lab::redis::{Proxy, RedisServer};
use sessile_redis::RedisStorage;
use support::{fresh, fresh_pair, record, supports_conditional_set};

const MINUTE: Duration = Duration::from_secs(60);

/// Returns a connected storage whose commands are counted and whose scripts are loaded.
async fn setup() -> (RedisServer, Proxy, RedisStorage) {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let storage = RedisStorage::connect(proxy.url()).await.unwrap();
    let (old, new) = fresh_pair();
    storage.create(&old, record(&storage, "", None)).await.unwrap();
    // A server without conditional SET says so once, and the script is called from then on.
    let known = storage.read(&old).await.unwrap().found().unwrap();
    for (version, is_same) in [(1, true), (2, false)] {
        let mut next = known.record.clone();
        next.meta.version += version;
        assert_eq!(storage.replace(&known, next).await.unwrap(), is_same);
    }
    let mut locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
    storage.renew(&locked.lock.id()).await.unwrap();
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

/// Returns the commands since the last call, and the number of round trips. Excludes the command by which the server
/// proves once a second that it is the primary, which takes no round trip of its own.
fn said(proxy: &Proxy) -> (Vec<String>, usize) {
    let (mut commands, turns) = (proxy.commands(), proxy.round_trips());
    commands.retain(|command| command != "DEL");
    (commands, turns)
}

fn only<const N: usize>(commands: [&str; N]) -> (Vec<String>, usize) {
    (commands.map(str::to_owned).to_vec(), N)
}

#[tokio::test]
async fn every_request_costs_what_is_documented() {
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

    let known = storage.read(&key).await.unwrap().found().unwrap();
    assert!(storage.replace(&known, known.record.clone()).await.unwrap());
    let replacing = if supports_conditional_set(&server) {
        "SET"
    } else {
        "EVALSHA"
    };
    assert_eq!(said(&proxy), only(["GET", replacing]), "changing without a lock");

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
    // A plain GET returns the alias. The script can tell whether it is still valid, and returns the record.
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

/// Returns how often the server has run each command, on its own or within a script.
fn calls(server: &RedisServer) -> BTreeMap<String, u64> {
    let text = server.command(&["INFO", "commandstats"]).text();
    let calls = text.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
    });
    // Excludes the command that reads these numbers, and those that prove once a second that the server is the primary.
    calls
        .filter(|(name, _)| !["info", "config|resetstat", "del"].contains(&name.as_str()))
        .collect()
}

/// Counts everything that the server does for a number of uncontended sessions.
#[tokio::test]
async fn the_server_runs_no_more_commands_than_are_written_here() {
    const TIMES: u64 = 10;
    let (server, _proxy, storage) = setup().await;
    let without_a_lock: &[_] = match supports_conditional_set(&server) {
        true => &[("get", 1), ("set", 1)],
        false => &[("get", 1), ("evalsha", 1), ("getrange", 1), ("set", 1)],
    };
    let keys: Vec<_> = (0..TIMES).map(|_| fresh()).collect();
    let since = |what: &str, expected: &[(&str, u64)]| {
        let expected: BTreeMap<_, _> = expected
            .iter()
            .map(|(name, n)| ((*name).to_owned(), n * TIMES))
            .collect();
        assert_eq!(calls(&server), expected, "{what}");
        server.command(&["CONFIG", "RESETSTAT"]);
    };
    server.command(&["CONFIG", "RESETSTAT"]);
    for key in &keys {
        storage.create(key, record(&storage, "x", Some(MINUTE))).await.unwrap();
    }
    since("a new session", &[("evalsha", 1), ("time", 1), ("set", 1)]);

    for key in &keys {
        storage.read(key).await.unwrap();
    }
    since("reading", &[("get", 1)]);

    loop {
        // Once a second a reply carries the time that could omit it. This must not happen during the count.
        storage.touch(&keys[0], 1, None, Timestamp::MAX).await.unwrap();
        server.command(&["CONFIG", "RESETSTAT"]);
        let start = Instant::now();
        for key in &keys {
            let known = storage.read(key).await.unwrap().found().unwrap();
            assert!(storage.replace(&known, known.record.clone()).await.unwrap());
        }
        if start.elapsed() < Duration::from_millis(900) {
            break;
        }
    }
    since("changing without a lock", without_a_lock);

    let mut held = Vec::new();
    for key in &keys {
        held.push(storage.lock(key, MINUTE).await.unwrap().found().unwrap());
    }
    since(
        "locking",
        &[("evalsha", 1), ("time", 1), ("getrange", 1), ("setrange", 1)],
    );
    for locked in &mut held {
        storage.commit(&mut locked.lock, locked.record.clone()).await.unwrap();
    }
    since("committing", &[("evalsha", 1), ("getrange", 1), ("set", 1)]);

    for key in &keys {
        let locked = storage.lock(key, MINUTE).await.unwrap().found().unwrap();
        storage.release(locked.lock).await.unwrap();
    }
    since(
        "looking under a lock",
        &[("evalsha", 2), ("time", 1), ("getrange", 2), ("setrange", 2)],
    );

    for key in &keys {
        storage.destroy(key).await.unwrap();
    }
    since("logging out", &[("evalsha", 1), ("getrange", 1)]);
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
    // The tables double at powers of two. Just above one, as here, they are emptiest.
    assert!(each <= 340, "{each} bytes");

    // The lock has its place in the record, so a locked session takes no more memory.
    let key = fresh();
    storage.create(&key, record(&storage, &payload, None)).await.unwrap();
    let locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    assert_eq!(server.command(&["DBSIZE"]).text(), (SESSIONS + 1).to_string());
    storage.release(locked.lock).await.unwrap();
    assert_eq!(server.command(&["DBSIZE"]).text(), (SESSIONS + 1).to_string());
}
