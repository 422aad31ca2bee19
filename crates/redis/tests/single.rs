//! One server: every operation, and what it stores.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::time::Duration;

use sessile_core::{Lock, Lookup, SessionKey, Storage, StorageErrorKind, Timestamp};
use sessile_lab::redis::RedisServer;
use sessile_redis::RedisStorage;
use support::{fresh, fresh_pair, payload, record};

const MINUTE: Duration = Duration::from_secs(60);

async fn setup() -> (RedisServer, RedisStorage) {
    let server = RedisServer::start();
    let storage = RedisStorage::connect(server.url()).await.expect("a connection");
    (server, storage)
}

fn keys(server: &RedisServer) -> Vec<String> {
    let mut keys: Vec<_> = server
        .command(&["KEYS", "*"])
        .items()
        .iter()
        .map(|key| key.text())
        .collect();
    keys.sort();
    keys
}

/// Returns a session that was "one" under the first key and is "two" under the second, and the lock that moved it.
async fn rotated(storage: &RedisStorage, grace: Duration) -> (SessionKey, SessionKey, Lock) {
    let (old, new) = fresh_pair();
    let life = Some(MINUTE);
    storage.create(&old, record(storage, "one", life)).await.unwrap();
    let mut lock = storage.lock(&old, MINUTE).await.unwrap().found().unwrap().lock;
    let rotation = storage.rotate(&mut lock, &new, record(storage, "two", life), grace);
    rotation.await.unwrap();
    (old, new, lock)
}

#[tokio::test]
async fn what_is_created_is_read() {
    let (server, storage) = setup().await;
    let key = fresh();
    let written = record(&storage, "seven", Some(MINUTE));
    storage.create(&key, written.clone()).await.unwrap();
    let read = storage.read(&key).await.unwrap().found().unwrap();
    assert_eq!((read.key, read.record), (key, written.clone()));
    assert_eq!(keys(&server).len(), 1);

    let error = storage.create(&key, written).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Exists);
}

#[tokio::test]
async fn an_unknown_key_leaves_nothing_behind() {
    let (server, storage) = setup().await;
    let key = fresh();
    assert_eq!(storage.read(&key).await.unwrap(), Lookup::Missing);
    assert!(matches!(storage.lock(&key, MINUTE).await.unwrap(), Lookup::Missing));
    assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Missing);
    let error = storage.touch(&key, 1, None, Timestamp::MAX).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Gone);
    assert_eq!(keys(&server), [""; 0]);
}

#[tokio::test]
async fn a_commit_replaces_and_unlocks() {
    let (server, storage) = setup().await;
    let key = fresh();
    storage.create(&key, record(&storage, "one", None)).await.unwrap();
    let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    assert_eq!(locked.record.payload, "one");
    assert_eq!(keys(&server).len(), 1);
    storage.renew(&locked.lock.id()).await.unwrap();
    storage
        .commit(&mut locked.lock, record(&storage, "two", Some(MINUTE)))
        .await
        .unwrap();
    assert_eq!(keys(&server).len(), 1);
    assert_eq!(payload(&storage, &key).await, Lookup::Found("two".into()));

    let error = storage
        .commit(&mut locked.lock, record(&storage, "three", None))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::LockLost);
    assert_eq!(payload(&storage, &key).await, Lookup::Found("two".into()));
}

#[tokio::test]
async fn a_lock_is_lost_with_its_lease() {
    let server = RedisServer::start();
    let short = RedisStorage::builder(server.url())
        .lease(Duration::from_millis(500))
        .connect()
        .await
        .unwrap();
    let key = fresh();
    short.create(&key, record(&short, "one", None)).await.unwrap();
    let mut late = short.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let mut next = short.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let error = short
        .commit(&mut late.lock, record(&short, "late", None))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::LockLost);
    assert_eq!(
        short.renew(&late.lock.id()).await.unwrap_err().kind(),
        StorageErrorKind::LockLost
    );
    short.release(late.lock).await.unwrap();
    short
        .commit(&mut next.lock, record(&short, "next", None))
        .await
        .unwrap();
    assert_eq!(payload(&short, &key).await, Lookup::Found("next".into()));
}

#[tokio::test]
async fn a_wait_for_a_held_lock_ends_at_its_limit() {
    let (_server, storage) = setup().await;
    let key = fresh();
    storage.create(&key, record(&storage, "one", None)).await.unwrap();
    let locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let error = storage.lock(&key, Duration::from_millis(100)).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::LockTimeout);
    drop(locked);
    assert!(storage.lock(&key, MINUTE).await.unwrap().is_found());
}

#[tokio::test]
async fn destroying_removes_record_and_lock_and_a_late_commit_fails() {
    let (server, storage) = setup().await;
    let key = fresh();
    storage
        .create(&key, record(&storage, "one", Some(MINUTE)))
        .await
        .unwrap();
    let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Found(()));
    assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Missing);
    let error = storage
        .commit(&mut locked.lock, record(&storage, "late", None))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Gone);
    assert_eq!(
        storage.renew(&locked.lock.id()).await.unwrap_err().kind(),
        StorageErrorKind::Gone
    );
    assert_eq!(keys(&server), [""; 0]);
}

#[tokio::test]
async fn rotation_moves_the_session_and_leaves_a_tombstone() {
    let (_server, storage) = setup().await;
    let (old, new, mut lock) = rotated(&storage, Duration::ZERO).await;
    assert_eq!(payload(&storage, &new).await, Lookup::Found("two".into()));
    assert_eq!(storage.read(&old).await.unwrap(), Lookup::Superseded);
    assert!(matches!(storage.lock(&old, MINUTE).await.unwrap(), Lookup::Superseded));
    let error = storage
        .commit(&mut lock, record(&storage, "late", None))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Superseded);
    let error = storage.touch(&old, 1, None, Timestamp::MAX).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Superseded);
    let error = storage.create(&old, record(&storage, "again", None)).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Exists);
}

#[tokio::test]
async fn during_its_grace_an_old_key_is_an_alias_and_afterwards_a_tombstone() {
    let (_server, storage) = setup().await;
    let grace = Duration::from_millis(400);
    let (old, new, _) = rotated(&storage, grace).await;

    let read = storage.read(&old).await.unwrap().found().unwrap();
    assert_eq!((read.key, &read.record.payload[..]), (new, &b"two"[..]));
    let mut again = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
    assert_eq!(again.lock.key(), &new);
    storage
        .commit(&mut again.lock, record(&storage, "three", Some(MINUTE)))
        .await
        .unwrap();
    storage.touch(&old, 1, None, Timestamp::MAX).await.unwrap();

    tokio::time::sleep(grace).await;
    assert_eq!(storage.read(&old).await.unwrap(), Lookup::Superseded);
    assert_eq!(payload(&storage, &new).await, Lookup::Found("three".into()));
}

#[tokio::test]
async fn destroying_by_an_alias_ends_the_session_and_leaves_the_alias_superseded() {
    let (_server, storage) = setup().await;
    let grace = Duration::from_millis(200);
    let (old, new, _) = rotated(&storage, grace).await;
    assert_eq!(storage.destroy(&old).await.unwrap(), Lookup::Found(()));
    assert_eq!(storage.read(&new).await.unwrap(), Lookup::Missing);
    assert_eq!(storage.read(&old).await.unwrap(), Lookup::Superseded);
    tokio::time::sleep(grace).await;
    assert_eq!(storage.read(&old).await.unwrap(), Lookup::Superseded);
}

#[tokio::test]
async fn rotation_onto_a_taken_key_changes_nothing() {
    let (_server, storage) = setup().await;
    let (old, new) = fresh_pair();
    for key in [old, new] {
        storage.create(&key, record(&storage, "one", None)).await.unwrap();
    }
    let mut locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
    let moved = record(&storage, "two", None);
    let error = storage
        .rotate(&mut locked.lock, &new, moved.clone(), Duration::ZERO)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Exists);
    storage.commit(&mut locked.lock, moved).await.unwrap();
    assert_eq!(payload(&storage, &old).await, Lookup::Found("two".into()));
    assert_eq!(payload(&storage, &new).await, Lookup::Found("one".into()));
}

#[tokio::test]
async fn a_deadline_is_the_first_moment_without_the_session() {
    let (server, storage) = setup().await;
    let key = fresh();
    let lives = record(&storage, "one", Some(Duration::from_millis(150)));
    let deadline = lives.meta.deadline.unwrap();
    storage.create(&key, lives).await.unwrap();
    let expires: u64 = server
        .command(&["PEXPIRETIME", &keys(&server)[0]])
        .text()
        .parse()
        .unwrap();
    // Redis returns a key in the millisecond of its expiry, and not after it.
    assert_eq!(expires, deadline.as_millis() - 1);
    assert!(storage.read(&key).await.unwrap().is_found());
    tokio::time::sleep(Duration::from_millis(160)).await;
    assert_eq!(storage.read(&key).await.unwrap(), Lookup::Missing);
    assert!(matches!(storage.lock(&key, MINUTE).await.unwrap(), Lookup::Missing));
}

#[tokio::test]
async fn a_record_that_is_stored_with_a_past_deadline_is_gone() {
    let (server, storage) = setup().await;
    let key = fresh();
    let mut past = record(&storage, "one", None);
    past.meta.deadline = Some(Timestamp::MIN);
    storage.create(&key, past.clone()).await.unwrap();
    assert_eq!(storage.read(&key).await.unwrap(), Lookup::Missing);

    storage.create(&key, record(&storage, "one", None)).await.unwrap();
    let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    storage.commit(&mut locked.lock, past).await.unwrap();
    assert_eq!(storage.read(&key).await.unwrap(), Lookup::Missing);
    assert_eq!(keys(&server), [""; 0]);
}

#[tokio::test]
async fn touching_moves_forward_only_and_keeps_the_rest() {
    let (_server, storage) = setup().await;
    let key = fresh();
    let written = record(&storage, "one", Some(MINUTE));
    let (deadline, active) = (written.meta.deadline.unwrap(), written.meta.last_active);
    storage.create(&key, written.clone()).await.unwrap();
    let meta = async || storage.read(&key).await.unwrap().found().unwrap().record.meta;

    let earlier = Timestamp::from_millis(active.as_millis() - 5);
    storage.touch(&key, 1, Some(earlier), earlier).await.unwrap();
    assert_eq!(meta().await, written.meta);

    let (later, then) = (deadline + MINUTE, active + MINUTE);
    storage.touch(&key, 1, Some(later), then).await.unwrap();
    assert_eq!((meta().await.deadline, meta().await.last_active), (Some(later), then));
    assert_eq!(meta().await.version, written.meta.version);

    storage.touch(&key, 1, None, then).await.unwrap();
    storage.touch(&key, 1, Some(later), then).await.unwrap();
    assert_eq!(meta().await.deadline, None);
    assert_eq!(payload(&storage, &key).await, Lookup::Found("one".into()));
}

#[tokio::test]
async fn a_scan_lists_live_sessions_of_its_own_prefix_only() {
    let (server, storage) = setup().await;
    let other = RedisStorage::builder(server.url())
        .prefix("other:")
        .connect()
        .await
        .unwrap();
    let mut expected: Vec<_> = (0..50).map(|_| fresh()).collect();
    for key in &expected {
        storage
            .create(key, record(&storage, "one", Some(MINUTE)))
            .await
            .unwrap();
        other.create(&fresh(), record(&storage, "two", None)).await.unwrap();
    }
    let (old, new) = fresh_pair();
    storage.create(&old, record(&storage, "one", None)).await.unwrap();
    let mut locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
    storage
        .rotate(&mut locked.lock, &new, record(&storage, "two", None), Duration::ZERO)
        .await
        .unwrap();
    let _held = storage.lock(&new, MINUTE).await.unwrap();
    expected.push(new);

    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = storage.scan(cursor, 7).await.unwrap();
        seen.extend(page.sessions.into_iter().map(|head| head.key));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    seen.sort();
    seen.dedup();
    expected.sort();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn scripts_are_loaded_again_when_the_server_has_forgotten_them() {
    let (server, storage) = setup().await;
    let key = fresh();
    storage.create(&key, record(&storage, "one", None)).await.unwrap();
    for _ in 0..3 {
        server.command(&["SCRIPT", "FLUSH"]);
        let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
        server.command(&["SCRIPT", "FLUSH"]);
        storage
            .commit(&mut locked.lock, record(&storage, "two", None))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_clock_follows_the_server() {
    let (server, storage) = setup().await;
    let time = server.command(&["TIME"]);
    let seconds: u64 = time.items()[0].text().parse().unwrap();
    let shown = storage.clock().now().as_millis() / 1_000;
    assert!(shown.abs_diff(seconds) <= 1, "{shown} {seconds}");
}

/// The longest permitted chain may end at a record that has just arrived.
#[tokio::test]
async fn an_arriving_record_is_not_a_step_of_the_alias_chain() {
    const ALIASES: usize = sessile_core::MAX_ALIASES;
    let server = RedisServer::start();
    let storage = RedisStorage::connect(server.url()).await.unwrap();
    let first = sessile_core::SessionId::generate(&sessile_core::OsEntropy);
    let mut keys = vec![first.key()];
    keys.extend((0..ALIASES).map(|_| first.rotated(&sessile_core::OsEntropy).key()));
    let name = |key: &sessile_core::SessionKey| {
        let shard = key.shard();
        format!(
            "sessile:{}",
            key.to_string().replacen(shard, &format!("{{{shard}}}"), 1)
        )
    };
    let last = keys[ALIASES];
    storage.create(&last, record(&storage, "x", None)).await.unwrap();
    let sessile_lab::redis::Reply::Text(value) = server.command(&["GET", &name(&last)]) else {
        panic!("no record")
    };
    let arriving = [&[10], &keys[ALIASES - 1].digest()[..], &value].concat();
    server.command_bytes(&[b"SET", name(&last).as_bytes(), &arriving]);
    for pair in keys.windows(2) {
        let alias = [&[3], &[0x7f; 6][..], &pair[1].digest()[..]].concat();
        server.command_bytes(&[b"SET", name(&pair[0]).as_bytes(), &alias]);
    }
    let locked = storage
        .lock(&keys[0], Duration::from_secs(60))
        .await
        .unwrap()
        .found()
        .unwrap();
    assert_eq!(locked.lock.key(), &last);
    storage.release(locked.lock).await.unwrap();
}
