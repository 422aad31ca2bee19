//! Changing a session without its lock: only if it is still as it was read, and the lock is free.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Lookup, SessionKey, Storage, StorageErrorKind, Stored, Timestamp};
use sessile_lab::redis::{Proxy, RedisSentinel, RedisServer, Reply};
use sessile_redis::{RedisServers, RedisStorage};
use support::{allow, fresh, fresh_pair, payload, permissions, record, supports_conditional_set, until};

const MINUTE: Duration = Duration::from_secs(60);

/// The offset of the waiters mark in a record.
const MARK: &str = "48";

async fn begin(storage: &RedisStorage, text: &str) -> SessionKey {
    let key = fresh();
    storage.create(&key, record(storage, text, Some(MINUTE))).await.unwrap();
    key
}

async fn read(storage: &RedisStorage, key: &SessionKey) -> Stored {
    storage.read(key).await.unwrap().found().unwrap()
}

/// Replaces the record by one with the next version and this payload.
async fn replace(storage: &RedisStorage, known: &Stored, text: &str) -> Result<bool, StorageErrorKind> {
    let mut next = record(storage, text, Some(MINUTE));
    next.meta.version = known.record.meta.version + 1;
    let replaced = storage.replace(known, next).await;
    replaced.map_err(|error| {
        assert_eq!(error.operation(), "replace");
        error.kind()
    })
}

fn name(key: &SessionKey) -> String {
    let shard = key.shard();
    format!(
        "sessile:{}",
        key.to_string().replacen(shard, &format!("{{{shard}}}"), 1)
    )
}

#[tokio::test]
async fn a_record_is_replaced_as_it_was_read_and_once() {
    let server = RedisServer::start();
    let storage = RedisStorage::connect(server.url()).await.unwrap();
    // Some are compared by the server, some by the script. None is truncated at the length that the script reads.
    for length in [0, 1, 960, 975, 1_024, 4_096, 4_097, 100_000] {
        let key = begin(&storage, &"x".repeat(length)).await;
        for round in 0..200 {
            let known = read(&storage, &key).await;
            let text = format!("{round} {}", "y".repeat(length));
            assert_eq!(replace(&storage, &known, &text).await, Ok(true), "{length} {round}");
            assert_eq!(replace(&storage, &known, "twice").await, Ok(false));
            assert_eq!(payload(&storage, &key).await, Lookup::Found(text));
            if round == 2 && length > 1 {
                break;
            }
        }
        let lives: i64 = server.command(&["PTTL", &name(&key)]).text().parse().unwrap();
        assert!((1..=60_000).contains(&lives), "{lives}");
    }
}

#[tokio::test]
async fn a_record_that_was_written_touched_or_locked_since_is_not_replaced() {
    let server = RedisServer::start();
    let storage = RedisStorage::connect(server.url()).await.unwrap();
    let key = begin(&storage, "one").await;

    let known = read(&storage, &key).await;
    assert_eq!(replace(&storage, &known, "one").await, Ok(true));
    let known = read(&storage, &key).await;
    let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    assert_eq!(replace(&storage, &known, "lost").await, Ok(false), "it is locked");
    // The holder finds it unchanged.
    storage.commit(&mut locked.lock, known.record.clone()).await.unwrap();
    assert_eq!(
        replace(&storage, &known, "lost").await,
        Ok(false),
        "it was written, be it the same"
    );

    let known = read(&storage, &key).await;
    let now = storage.clock().now();
    let touched = storage.touch(&key, known.record.meta.version, Some(now + MINUTE * 2), now + MINUTE);
    assert!(touched.await.unwrap());
    assert_eq!(replace(&storage, &known, "lost").await, Ok(false), "it was touched");
    assert_eq!(payload(&storage, &key).await, Lookup::Found("one".into()));

    let known = read(&storage, &key).await;
    let locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    storage.release(locked.lock).await.unwrap();
    assert_eq!(
        replace(&storage, &known, "two").await,
        Ok(true),
        "the lock was only taken and released"
    );
}

#[tokio::test]
async fn replacing_a_record_that_is_gone_or_moved_reports_that() {
    let server = RedisServer::start();
    let storage = RedisStorage::connect(server.url()).await.unwrap();
    let key = begin(&storage, "one").await;
    let known = read(&storage, &key).await;
    storage.destroy(&key).await.unwrap();
    assert_eq!(replace(&storage, &known, "back").await, Err(StorageErrorKind::Gone));
    for grace in [Duration::ZERO, MINUTE] {
        let (old, new) = fresh_pair();
        storage.create(&old, record(&storage, "one", None)).await.unwrap();
        let known = read(&storage, &old).await;
        let mut locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
        let moved = storage.rotate(&mut locked.lock, &new, locked.record, grace);
        moved.await.unwrap();
        assert_eq!(
            replace(&storage, &known, "back").await,
            match grace {
                Duration::ZERO => Err(StorageErrorKind::Superseded),
                _ => Ok(false),
            }
        );
        assert_eq!(payload(&storage, &new).await, Lookup::Found("one".into()));
        if grace == MINUTE {
            // A record that was read by its old key is replaced at its present key.
            let known = read(&storage, &old).await;
            assert_eq!(known.key, new);
            assert_eq!(replace(&storage, &known, "two").await, Ok(true));
        }
    }
    assert_eq!(payload(&storage, &key).await, Lookup::Missing);
}

#[tokio::test]
async fn a_lock_whose_lease_is_over_does_not_prevent_a_replacement() {
    let server = RedisServer::start();
    let short = RedisStorage::builder(server.url()).lease(Duration::from_millis(50));
    let (short, storage) = (
        short.connect().await.unwrap(),
        RedisStorage::connect(server.url()).await.unwrap(),
    );
    let key = begin(&storage, "one").await;
    let mut late = short.lock(&key, MINUTE).await.unwrap().found().unwrap();
    tokio::time::sleep(Duration::from_millis(80)).await;
    let known = read(&storage, &key).await;
    assert_eq!(replace(&storage, &known, "two").await, Ok(true));
    let error = short.commit(&mut late.lock, known.record).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::LockLost);
    assert_eq!(payload(&storage, &key).await, Lookup::Found("two".into()));
}

#[tokio::test]
async fn a_replacement_sets_the_lifetime() {
    let server = RedisServer::start();
    let storage = RedisStorage::connect(server.url()).await.unwrap();
    let key = begin(&storage, "one").await;
    // Compared by the server, and by the script.
    for length in [10, 5_000] {
        let known = read(&storage, &key).await;
        let endless = record(&storage, &"x".repeat(length), None);
        assert!(storage.replace(&known, endless).await.unwrap());
        assert_eq!(server.command(&["PTTL", &name(&key)]), Reply::Int(-1));
    }
    let known = read(&storage, &key).await;
    let mut over = record(&storage, "x", Some(MINUTE));
    let ended = over.meta.created_at.as_millis() - 1_000;
    over.meta.deadline = Some(Timestamp::from_millis(ended));
    assert!(storage.replace(&known, over).await.unwrap());
    assert_eq!(storage.read(&key).await.unwrap(), Lookup::Missing);
    assert_eq!(replace(&storage, &known, "back").await, Err(StorageErrorKind::Gone));
}

/// A wrapper may not keep the stamp that the storage returned.
#[tokio::test]
async fn a_caller_without_the_stamp_is_judged_by_the_metadata() {
    let server = RedisServer::start();
    let storage = RedisStorage::connect(server.url()).await.unwrap();
    let key = begin(&storage, "one").await;
    let known = read(&storage, &key).await;
    assert_eq!(replace(&storage, &known, "two").await, Ok(true));
    let known = read(&storage, &key).await;
    assert_ne!(known.stamp, 0);
    let known = Stored::new(known.key, known.record);
    assert_eq!(replace(&storage, &known, "three").await, Ok(true));
    assert_eq!(replace(&storage, &known, "four").await, Ok(false));
    assert_eq!(payload(&storage, &key).await, Lookup::Found("three".into()));
}

/// The mark is set as by a waiter, while the lock is free for a moment.
#[tokio::test]
async fn the_waiters_mark_stays_until_the_queue_was_read() {
    let server = RedisServer::start();
    let storage = RedisStorage::connect(server.url()).await.unwrap();
    let is_marked = |key: &SessionKey| match server.command(&["GETRANGE", &name(key), MARK, MARK]) {
        Reply::Text(byte) => byte[0] % 2 == 1,
        other => panic!("{other:?}"),
    };
    for length in [10, 5_000] {
        for read_before in [true, false] {
            let key = begin(&storage, &"x".repeat(length)).await;
            let mut known = read(&storage, &key).await;
            server.command_bytes(&[b"SETRANGE", name(&key).as_bytes(), MARK.as_bytes(), b"\x01"]);
            if read_before {
                known = read(&storage, &key).await;
            }
            assert_eq!(replace(&storage, &known, &"y".repeat(length)).await, Ok(true));
            assert!(is_marked(&key), "{length} {read_before}");
            let known = read(&storage, &key).await;
            let (looked, mut locked) = (
                server.calls("lpop"),
                storage.lock(&key, MINUTE).await.unwrap().found().unwrap(),
            );
            assert!(is_marked(&key));
            storage.commit(&mut locked.lock, locked.record).await.unwrap();
            assert_eq!(server.calls("lpop"), looked + 1);
            assert!(!is_marked(&key));
            assert_eq!(replace(&storage, &known, "lost").await, Ok(false));
        }
    }
    // A release reads the queue as well.
    let key = begin(&storage, "x").await;
    server.command_bytes(&[b"SETRANGE", name(&key).as_bytes(), MARK.as_bytes(), b"\x01"]);
    let locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    storage.release(locked.lock).await.unwrap();
    assert!(!is_marked(&key));
}

#[tokio::test]
async fn waiters_for_the_lock_are_served_after_a_replacement() {
    let server = RedisServer::start();
    let short = RedisStorage::builder(server.url()).lease(Duration::from_millis(300));
    let (short, storage) = (
        short.connect().await.unwrap(),
        RedisStorage::connect(server.url()).await.unwrap(),
    );
    let key = begin(&storage, "one").await;
    let late = short.lock(&key, MINUTE).await.unwrap().found().unwrap();
    // They ask again when the lease is over, and not before.
    let waiting: Vec<_> = waiters(&server, 3, key).await;
    loop {
        let known = read(&storage, &key).await;
        if replace(&storage, &known, "two").await.unwrap() || known.record.payload != "one" {
            break;
        }
        tokio::task::yield_now().await;
    }
    for waiting in waiting {
        tokio::time::timeout(MINUTE, waiting).await.unwrap().unwrap();
    }
    drop(late);
}

/// Starts processes that wait for the lock and never poll. Each releases it when it has had it.
async fn waiters(server: &RedisServer, processes: usize, key: SessionKey) -> Vec<tokio::task::JoinHandle<()>> {
    let mut waiting = Vec::new();
    for _ in 0..processes {
        let storage = RedisStorage::builder(server.url())
            .poll(MINUTE * 10)
            .connect()
            .await
            .unwrap();
        waiting.push(tokio::spawn(async move {
            let locked = storage.lock(&key, MINUTE * 5).await.unwrap().found().unwrap();
            storage.release(locked.lock).await.unwrap();
        }));
    }
    waiting
}

/// A process that writes in no other way has to learn the server's time.
#[tokio::test]
async fn the_time_is_requested_once_a_second() {
    let server = RedisServer::start();
    let storage = RedisStorage::connect(server.url()).await.unwrap();
    let key = begin(&storage, "one").await;
    for _ in 0..2 {
        let told = server.calls("time");
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        for _ in 0..2 {
            let known = read(&storage, &key).await;
            assert_eq!(replace(&storage, &known, "two").await, Ok(true));
        }
        assert!(server.calls("time") > told);
    }
}

/// A server without conditional SET says so once for each connection. One with it gets no other call.
#[tokio::test]
async fn a_server_is_called_as_it_supports() {
    let server = RedisServer::start();
    let (proxy, knows) = (Proxy::to(server.port()), supports_conditional_set(&server));
    let storage = RedisStorage::connect(proxy.url()).await.unwrap();
    let key = begin(&storage, "one").await;
    let known = read(&storage, &key).await;
    for round in 0..3 {
        // The time was received before, so the reply can omit it.
        let locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
        storage.release(locked.lock).await.unwrap();
        let known = read(&storage, &key).await;
        let _ = proxy.commands();
        assert_eq!(replace(&storage, &known, "two").await, Ok(true));
        let said = proxy.commands();
        let expected: &[_] = match (knows, round) {
            (true, _) => &["SET"],
            // The script is not loaded yet.
            (false, 0) => &["SET", "EVALSHA", "EVAL"],
            (false, 1) => &["EVALSHA"],
            (false, _) => &["SET", "EVALSHA"],
        };
        assert_eq!(said, expected, "{round}");
        if round == 1 {
            proxy.cut();
            assert!(storage.read(&key).await.is_err());
            proxy.heal();
        }
    }
    assert_eq!(replace(&storage, &known, "lost").await, Ok(false));
}

#[tokio::test]
async fn it_needs_no_more_permissions_than_other_operations() {
    let server = RedisServer::start();
    let all = permissions();
    for right in all.iter().filter(|right| right.starts_with('+')) {
        allow(&server, &all);
        let servers = RedisServers::single(server.url())
            .username("sessions")
            .password("secret");
        let storage = RedisStorage::connect(servers).await.unwrap();
        let key = begin(&storage, "one").await;
        let known = read(&storage, &key).await;
        server.command(&["ACL", "SETUSER", "sessions", &right.replace('+', "-")]);
        let replaced = replace(&storage, &known, "two").await;
        allow(&server, &all);
        let stands = payload(&storage, &key).await;
        match replaced {
            Ok(replaced) => {
                assert!(replaced, "without {right}");
                assert_eq!(stands, Lookup::Found("two".into()), "without {right}");
            }
            Err(kind) => {
                assert_eq!(kind, StorageErrorKind::Denied, "without {right}");
                assert_eq!(stands, Lookup::Found("one".into()), "without {right}");
            }
        }
    }
}

#[tokio::test]
async fn a_replacement_without_replicas_falls_short_and_a_refused_one_does_not() {
    let group = RedisSentinel::start();
    let connect = || RedisStorage::builder(RedisServers::sentinel(group.urls(), group.name()));
    let durable = connect().durable(1, Duration::from_millis(200)).durable_commits();
    let (durable, plain) = (durable.connect().await.unwrap(), connect().connect().await.unwrap());
    for length in [10, 5_000] {
        let key = begin(&durable, &"x".repeat(length)).await;
        let known = read(&durable, &key).await;
        assert_eq!(replace(&durable, &known, &"y".repeat(length)).await, Ok(true));
        let shortfalls = durable.shortfalls();
        group.servers()[1].pause();
        assert_eq!(replace(&durable, &known, "lost").await, Ok(false));
        assert_eq!(durable.shortfalls(), shortfalls);
        let known = read(&durable, &key).await;
        let short = durable
            .replace(&known, record(&durable, "short", None))
            .await
            .unwrap_err();
        assert_eq!(short.kind(), StorageErrorKind::Unavailable);
        let source = std::error::Error::source(&short).unwrap();
        assert!(source.is::<sessile_redis::ReplicationShortfall>(), "{short:?}");
        assert_eq!(durable.shortfalls(), shortfalls + 1);
        let known = read(&plain, &key).await;
        assert_eq!(replace(&plain, &known, "plain").await, Ok(true));
        group.servers()[1].resume();
        until("there again", || group.servers()[1].responds()).await;
    }
}

/// Many callers change a session at once and retry on conflict. No change is lost.
#[tokio::test]
async fn concurrent_replacements_lose_no_update() {
    const TASKS: u64 = 16;
    const TIMES: u64 = 20;
    let server = RedisServer::start();
    let storage = Arc::new(RedisStorage::connect(server.url()).await.unwrap());
    let key = begin(&storage, "0").await;
    let tasks = (0..TASKS).map(|number| {
        let storage = Arc::clone(&storage);
        tokio::spawn(async move {
            for _ in 0..TIMES {
                loop {
                    let count = |text: &[u8]| std::str::from_utf8(text).unwrap().parse::<u64>().unwrap() + 1;
                    if number % 4 == 0 {
                        let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
                        let mut next = locked.record;
                        next.meta.version += 1;
                        next.payload = count(&next.payload).to_string().into();
                        storage.commit(&mut locked.lock, next).await.unwrap();
                        break;
                    }
                    let known = read(&storage, &key).await;
                    let next = count(&known.record.payload).to_string();
                    if replace(&storage, &known, &next).await.unwrap() {
                        break;
                    }
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(
        payload(&storage, &key).await,
        Lookup::Found((TASKS * TIMES).to_string())
    );
}
