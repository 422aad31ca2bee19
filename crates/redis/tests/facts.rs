//! Facts about sessions: every operation keeps them, and a page shows them without reading payloads.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Facts, Lookup, Record, SessionHead, SessionKey, Storage, StorageErrorKind, Timestamp};
use sessile_lab::redis::{Proxy, RedisServer, Reply};
use sessile_redis::{RedisServers, RedisStorage};
use support::{allow, facts, fresh, fresh_pair, permissions, record, until};

const MINUTE: Duration = Duration::from_secs(60);

async fn setup() -> (RedisServer, RedisStorage) {
    let server = RedisServer::start();
    let storage = RedisStorage::connect(server.url()).await.expect("a connection");
    (server, storage)
}

/// Returns a record with facts of this length in bytes.
fn with_facts(storage: &RedisStorage, payload: &str, length: usize) -> Record {
    let mut record = record(storage, payload, Some(MINUTE));
    record.meta.facts = facts(length);
    record
}

async fn stored(storage: &RedisStorage, key: &SessionKey) -> Record {
    storage.read(key).await.unwrap().found().unwrap().record
}

async fn heads(storage: &RedisStorage, limit: usize) -> Vec<SessionHead> {
    let (mut heads, mut cursor) = (Vec::new(), None);
    loop {
        let page = storage.scan(cursor, limit).await.unwrap();
        heads.extend(page.sessions);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    heads.sort_by_key(|head| head.key);
    heads
}

fn name(key: &SessionKey) -> String {
    let shard = key.shard();
    format!(
        "sessile:{}",
        key.to_string().replacen(shard, &format!("{{{shard}}}"), 1)
    )
}

fn value(server: &RedisServer, key: &SessionKey) -> Vec<u8> {
    match server.command(&["GET", &name(key)]) {
        Reply::Text(value) => value,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_operation_keeps_facts_and_writes_new_ones() {
    let (_server, storage) = setup().await;
    // The longest headers are longer than the bytes that any script reads first.
    for lengths in [[5, 40], [128, 5], [1_000, Facts::MAX_LEN], [Facts::MAX_LEN, 0], [0, 5]] {
        let (old, new) = fresh_pair();
        let [first, second] = lengths.map(|length| with_facts(&storage, &"x".repeat(length), length));
        storage.create(&old, first.clone()).await.unwrap();
        assert_eq!(stored(&storage, &old).await, first);
        let error = storage.create(&old, second.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StorageErrorKind::Exists);

        let locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
        assert_eq!(locked.record, first);
        storage.renew(&locked.lock.id()).await.unwrap();
        storage.release(locked.lock).await.unwrap();
        assert_eq!(stored(&storage, &old).await, first);

        let mut locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
        storage.commit(&mut locked.lock, second.clone()).await.unwrap();
        assert_eq!(stored(&storage, &old).await, second);

        let mut locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
        assert_eq!(locked.record, second);
        let rotated = storage.rotate(&mut locked.lock, &new, first.clone(), MINUTE).await;
        rotated.unwrap();
        for key in [&old, &new] {
            assert_eq!(stored(&storage, key).await, first);
        }
        let locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
        assert_eq!((locked.lock.key(), &locked.record), (&new, &first));
        storage.release(locked.lock).await.unwrap();
        assert_eq!(storage.destroy(&old).await.unwrap(), Lookup::Found(()));
        assert_eq!(storage.read(&new).await.unwrap(), Lookup::Missing);
    }
}

/// The server compares short records by itself, if it can; the script compares long ones.
#[tokio::test]
async fn a_record_with_facts_is_replaced_if_it_is_the_one_that_was_read() {
    let (_server, storage) = setup().await;
    for payload in ["short".to_owned(), "long".repeat(2_000)] {
        for lengths in [[5, 5], [5, 0], [0, 5], [Facts::MAX_LEN, 300], [300, Facts::MAX_LEN]] {
            let key = fresh();
            let [first, mut second] = lengths.map(|length| with_facts(&storage, &payload, length));
            second.meta.version = 2;
            storage.create(&key, first).await.unwrap();
            let known = storage.read(&key).await.unwrap().found().unwrap();
            assert!(storage.replace(&known, second.clone()).await.unwrap());
            assert_eq!(stored(&storage, &key).await, second);
            assert!(!storage.replace(&known, second.clone()).await.unwrap());

            let known = storage.read(&key).await.unwrap().found().unwrap();
            let locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
            assert!(!storage.replace(&known, second.clone()).await.unwrap());
            storage.release(locked.lock).await.unwrap();
            // A caller that has lost the stamp is told apart by times, version and facts.
            let mut other = known.clone().with_stamp(0);
            assert!(storage.replace(&other, second.clone()).await.unwrap());
            other.record.meta.facts = facts(77);
            assert!(!storage.replace(&other, second.clone()).await.unwrap());
            assert_eq!(stored(&storage, &key).await, second);
        }
    }
}

#[tokio::test]
async fn touching_compares_the_version_beside_facts() {
    let (_server, storage) = setup().await;
    for version in [1, 127, 128, 300, 16_384, u64::MAX] {
        for length in [0, 5, Facts::MAX_LEN] {
            let key = fresh();
            let mut written = with_facts(&storage, "x", length);
            written.meta.version = version;
            storage.create(&key, written.clone()).await.unwrap();
            let then = written.meta.last_active + MINUTE;
            for other in [version ^ 1, version ^ 0x80, version ^ (1 << 62)] {
                assert!(
                    !storage.touch(&key, other, Some(then), then).await.unwrap(),
                    "{version}"
                );
            }
            assert_eq!(stored(&storage, &key).await, written);
            let later = then + MINUTE;
            assert!(
                storage.touch(&key, version, Some(later), then).await.unwrap(),
                "{version}"
            );
            written.meta.touch(Some(later), then);
            assert_eq!(stored(&storage, &key).await, written);
        }
    }
}

#[tokio::test]
async fn a_lock_is_handed_over_with_the_facts() {
    let (server, one) = setup().await;
    let two = Arc::new(
        RedisStorage::builder(server.url())
            .poll(MINUTE)
            .connect()
            .await
            .unwrap(),
    );
    for length in [5, Facts::MAX_LEN] {
        let key = fresh();
        one.create(&key, with_facts(&one, "x", 40)).await.unwrap();
        let mut held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
        let waiting = tokio::spawn({
            let two = Arc::clone(&two);
            async move { two.lock(&key, MINUTE).await.unwrap().found().unwrap() }
        });
        let queue = format!("{}:wait", name(&key));
        until("in the queue", || server.command(&["EXISTS", &queue]) == Reply::Int(1)).await;
        let next = with_facts(&one, "y", length);
        one.commit(&mut held.lock, next.clone()).await.unwrap();
        let locked = waiting.await.unwrap();
        assert_eq!(locked.record, next);
        two.release(locked.lock).await.unwrap();
        assert_eq!(stored(&one, &key).await, next);
    }
}

/// The value is one that was written before there were facts.
#[tokio::test]
async fn an_older_value_has_no_facts_until_some_are_written() {
    let (server, storage) = setup().await;
    let key = fresh();
    let times = [0, 0, 0, 0, 1, 2, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 1, 1];
    let older = [&[1][..], &times, &[0; 30], &[7], b"payload"].concat();
    server.command_bytes(&[b"SET", name(&key).as_bytes(), &older]);
    let read = stored(&storage, &key).await;
    assert_eq!(
        (read.meta.version, &read.meta.facts, &read.payload[..]),
        (7, &Facts::NONE, &b"payload"[..])
    );
    let expected = SessionHead::new(key, read.meta.clone()).with_payload_len(7);
    assert_eq!(heads(&storage, 10).await, [expected]);

    let known = storage.read(&key).await.unwrap().found().unwrap();
    let mut with = known.record.clone();
    with.meta.facts = facts(5);
    assert!(storage.replace(&known, with.clone()).await.unwrap());
    let known = storage.read(&key).await.unwrap().found().unwrap();
    assert_eq!(known.record, with);
    assert!(storage.replace(&known, read).await.unwrap());
    // All bytes are as before, except for the last writer.
    let again = value(&server, &key);
    assert_eq!((&again[..41], &again[49..]), (&older[..41], &older[49..]));
}

#[tokio::test]
async fn damaged_facts_are_corruption() {
    let (server, storage) = setup().await;
    let (key, other) = fresh_pair();
    for key in [&key, &other] {
        storage.create(key, with_facts(&storage, "x", 5)).await.unwrap();
    }
    let good = value(&server, &key);
    // The length of the facts, and the length of the element in them.
    for (offset, byte) in [(59, "\0"), (59, "\u{4}"), (59, "\u{7f}"), (61, "\u{4}")] {
        server.command_bytes(&[b"SET", name(&key).as_bytes(), &good]);
        server.command(&["SETRANGE", &name(&key), &offset.to_string(), byte]);
        let damaged = value(&server, &key);
        let error = storage.read(&key).await.unwrap_err();
        assert_eq!(error.kind(), StorageErrorKind::Corrupt);
        for _ in 0..2 {
            let error = storage.lock(&key, MINUTE).await.unwrap_err();
            assert_eq!(error.kind(), StorageErrorKind::Corrupt);
        }
        until("released", || value(&server, &key) == damaged).await;
        assert_eq!(
            heads(&storage, 10)
                .await
                .iter()
                .map(|head| head.key)
                .collect::<Vec<_>>(),
            [other]
        );
        assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Found(()));
    }
}

/// Returns the commands since the last call with their numbers, and the number of round trips.
fn said(proxy: &Proxy) -> (BTreeMap<String, usize>, usize) {
    let (commands, turns) = (proxy.commands(), proxy.round_trips());
    let mut counts = BTreeMap::new();
    // By DEL, the server proves once a second that it is the primary.
    for command in commands.into_iter().filter(|command| command != "DEL") {
        *counts.entry(command).or_default() += 1;
    }
    (counts, turns)
}

/// A page takes three round trips, whatever it lists: INFO, SCAN, and the heads. Long facts cost one more, and two
/// commands for each session that has them.
#[tokio::test]
async fn a_page_reads_heads_with_one_pipeline_and_long_ones_with_two() {
    const SESSIONS: usize = 20;
    for (lengths, again, turns) in [
        ([0, 0], 0, 3),
        ([0, 5], 0, 3),
        ([5, 195], 0, 3),
        ([196, 5], SESSIONS / 2, 4),
        ([Facts::MAX_LEN, 0], SESSIONS / 2, 4),
        ([Facts::MAX_LEN, 300], SESSIONS, 4),
    ] {
        let server = RedisServer::start();
        let proxy = Proxy::to(server.port());
        let storage = RedisStorage::connect(proxy.url()).await.unwrap();
        let mut expected = Vec::new();
        for n in 0..SESSIONS {
            let record = with_facts(&storage, &"x".repeat(n * 5_000), lengths[n % 2]);
            let key = fresh();
            storage.create(&key, record.clone()).await.unwrap();
            expected.push(SessionHead::new(key, record.meta).with_payload_len(record.payload.len()));
        }
        expected.sort_by_key(|head| head.key);
        let sent = || -> u64 { server.info("stats", "total_net_output_bytes").unwrap().parse().unwrap() };
        let before = sent();
        said(&proxy);
        let page = storage.scan(None, 10 * SESSIONS).await.unwrap();
        let heads = SESSIONS + again;
        let commands = [("GETRANGE", heads), ("INFO", 1), ("SCAN", 1), ("STRLEN", heads)];
        let commands = commands.map(|(name, count)| (name.to_owned(), count));
        assert_eq!(said(&proxy), (BTreeMap::from(commands), turns), "{lengths:?}");
        assert_eq!(page.next, None);
        let mut sessions = page.sessions;
        sessions.sort_by_key(|head| head.key);
        assert_eq!(sessions, expected);
        // The payloads have almost a million bytes.
        assert!(sent() - before < 60_000, "{} bytes", sent() - before);
    }
}

#[tokio::test]
async fn facts_cost_no_command() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let storage = RedisStorage::connect(proxy.url()).await.unwrap();
    let mut costs = Vec::new();
    // Each script is sent once as a whole, before the count.
    for length in [0, 0, 5, 900] {
        said(&proxy);
        let (key, next) = fresh_pair();
        let record = with_facts(&storage, "x", length);
        storage.create(&key, record.clone()).await.unwrap();
        assert_eq!(stored(&storage, &key).await, record);
        let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
        storage.commit(&mut locked.lock, record.clone()).await.unwrap();
        assert!(storage.touch(&key, 1, None, Timestamp::MAX).await.unwrap());
        let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
        let rotated = storage.rotate(&mut locked.lock, &next, record, Duration::ZERO).await;
        rotated.unwrap();
        assert_eq!(storage.destroy(&next).await.unwrap(), Lookup::Found(()));
        costs.push(said(&proxy));
    }
    assert_eq!(costs[2], costs[1]);
    assert_eq!(costs[3], costs[1]);
}

/// A user of the permissions that were documented before may not call STRLEN.
#[tokio::test]
async fn without_the_permission_for_it_the_lengths_of_payloads_are_unknown() {
    let server = RedisServer::start();
    let all = permissions();
    for may in [true, false] {
        let fewer: Vec<_> = all.iter().filter(|right| may || *right != "+strlen").cloned().collect();
        allow(&server, &fewer);
        let servers = RedisServers::single(server.url())
            .username("sessions")
            .password("secret");
        let storage = RedisStorage::connect(servers).await.unwrap();
        let (key, record) = (fresh(), with_facts(&storage, "seven", 300));
        storage.create(&key, record.clone()).await.unwrap();
        let mut expected = SessionHead::new(key, record.meta);
        expected.payload_len = may.then_some(5);
        assert_eq!(heads(&storage, 10).await, [expected]);
        storage.destroy(&key).await.unwrap();
    }
}
