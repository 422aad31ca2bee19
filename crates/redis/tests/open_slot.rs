//! A slot of a cluster that an interrupted migration has left open: its sessions are served.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile_core::{Facts, Locked, Lookup, SessionHead, SessionId, SessionKey, Storage, StorageErrorKind};
use sessile_lab::redis::{RedisCluster, Reply};
use sessile_redis::{RedisLocks, RedisServers, RedisStorage};
use support::{facts, payload, record};
use tokio::task::JoinHandle;

const MINUTE: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(10);

/// The time limit of calls that do not have to wait, on a busy machine. It is shorter than their permitted wait.
const PROMPT: Duration = Duration::from_secs(8);

fn servers(cluster: &RedisCluster) -> RedisServers {
    RedisServers::cluster(cluster.urls()).timeout(TIMEOUT)
}

async fn connect(cluster: &RedisCluster) -> Arc<RedisStorage> {
    let builder = RedisStorage::builder(servers(cluster)).lease(MINUTE);
    Arc::new(builder.connect().await.expect("a connection"))
}

/// Returns keys of one shard, and the slot of that shard.
fn keys<const N: usize>(cluster: &RedisCluster) -> ([SessionKey; N], u16) {
    let entropy = sessile_core::OsEntropy;
    loop {
        let first = SessionId::generate(&entropy);
        let slot = cluster.nodes()[0].command(&["CLUSTER", "KEYSLOT", &format!("{{{}}}", first.key().shard())]);
        let slot = slot.text().parse().unwrap();
        if cluster.owner(slot) == 0 {
            return (std::array::from_fn(|_| first.rotated(&entropy).key()), slot);
        }
    }
}

fn name(key: &SessionKey, prefix: &str, suffix: &str) -> String {
    let shard = key.shard();
    format!(
        "{prefix}{}{suffix}",
        key.to_string().replacen(shard, &format!("{{{shard}}}"), 1)
    )
}

/// Moves one key from the first node to the second.
fn migrate(cluster: &RedisCluster, name: &str) {
    let port = cluster.nodes()[1].port().to_string();
    let moved = cluster.nodes()[0].command(&["MIGRATE", "127.0.0.1", &port, name, "0", "5000"]);
    assert_eq!(moved.text(), "OK", "{name}");
}

/// Sets a key like a client that was redirected by ASK.
fn set_asking(port: u16, name: &str, value: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let lengths = (name.len(), value.len());
    let mut order = format!(
        "ASKING\r\n*3\r\n$3\r\nSET\r\n${}\r\n{name}\r\n${}\r\n",
        lengths.0, lengths.1
    )
    .into_bytes();
    order.extend_from_slice(value);
    order.extend_from_slice(b"\r\n");
    stream.write_all(&order).unwrap();
    let mut replies = [0; 10];
    stream.read_exact(&mut replies).unwrap();
    assert_eq!(&replies, b"+OK\r\n+OK\r\n");
}

async fn promptly<T>(what: &str, call: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let reply = call.await;
    assert!(start.elapsed() < PROMPT, "{what} took {:?}", start.elapsed());
    reply
}

/// Runs every operation on a session except rotation.
async fn is_served(storage: &RedisStorage, key: &SessionKey) {
    assert!(promptly("read", storage.read(key)).await.unwrap().is_found());
    let mut locked = promptly("lock", storage.lock(key, MINUTE))
        .await
        .unwrap()
        .found()
        .unwrap();
    promptly("renew", storage.renew(&locked.lock.id())).await.unwrap();
    let next = record(storage, "next", Some(MINUTE));
    promptly("commit", storage.commit(&mut locked.lock, next))
        .await
        .unwrap();
    let locked = promptly("lock", storage.lock(key, MINUTE))
        .await
        .unwrap()
        .found()
        .unwrap();
    assert_eq!(locked.record.payload, "next");
    let (version, now) = (locked.record.meta.version, storage.clock().now());
    assert!(
        promptly("touch", storage.touch(key, version, Some(now + MINUTE), now))
            .await
            .unwrap()
    );
    promptly("release", storage.release(locked.lock)).await.unwrap();
    // Once compared by the script, because of its length, and once by the server, if it can.
    for length in [5_000, 4] {
        let known = promptly("read", storage.read(key)).await.unwrap().found().unwrap();
        let mut next = record(storage, &"x".repeat(length), Some(MINUTE));
        next.meta.version = known.record.meta.version + 1;
        let replaced = promptly("replace", storage.replace(&known, next.clone())).await;
        assert!(replaced.unwrap());
        let replaced = promptly("replace", storage.replace(&known, next)).await;
        assert!(!replaced.unwrap());
    }
}

#[tokio::test]
async fn sessions_on_both_nodes_are_served() {
    let cluster = RedisCluster::start();
    let storage = connect(&cluster).await;
    let ([here, there, new], slot) = keys(&cluster);
    for key in [&here, &there] {
        storage.create(key, record(&storage, "x", Some(MINUTE))).await.unwrap();
    }
    cluster.open_slot(slot, 0, 1);
    migrate(&cluster, &name(&there, "sessile:", ""));
    promptly("create", storage.create(&new, record(&storage, "x", Some(MINUTE))))
        .await
        .unwrap();
    for key in [&here, &there, &new] {
        is_served(&storage, key).await;
    }
    for key in [&here, &there, &new] {
        assert_eq!(
            promptly("destroy", storage.destroy(key)).await.unwrap(),
            Lookup::Found(())
        );
        assert_eq!(
            promptly("destroy", storage.destroy(key)).await.unwrap(),
            Lookup::Missing
        );
        let lock = promptly("lock", storage.lock(key, MINUTE)).await.unwrap();
        assert!(matches!(lock, Lookup::Missing));
    }
}

#[tokio::test]
async fn waiters_get_the_lock_by_polling() {
    let cluster = RedisCluster::start();
    let (one, two) = (connect(&cluster).await, connect(&cluster).await);
    let ([here, there], slot) = keys(&cluster);
    for key in [&here, &there] {
        one.create(key, record(&one, "x", Some(MINUTE))).await.unwrap();
    }
    cluster.open_slot(slot, 0, 1);
    migrate(&cluster, &name(&there, "sessile:", ""));
    for key in [here, there] {
        let mut held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
        let waiting = tokio::spawn({
            let two = Arc::clone(&two);
            async move { two.lock(&key, MINUTE).await.unwrap().found().unwrap() }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!waiting.is_finished());
        one.commit(&mut held.lock, record(&one, "y", Some(MINUTE)))
            .await
            .unwrap();
        let locked = promptly("lock", waiting).await.unwrap();
        assert_eq!(locked.record.payload, "y");
        two.release(locked.lock).await.unwrap();
    }
}

/// Waits for the lock, and returns once the server has the entry in its queue on the first node. The slot is opened
/// afterwards, so the queue is separated from its record.
async fn wait_in_the_queue(cluster: &RedisCluster, storage: &Arc<RedisStorage>, key: SessionKey) -> JoinHandle<Locked> {
    let waiting = tokio::spawn({
        let storage = Arc::clone(storage);
        async move { storage.lock(&key, MINUTE).await.unwrap().found().unwrap() }
    });
    let queue = name(&key, "sessile:", ":wait");
    support::until("in the queue", || {
        cluster.nodes()[0].command(&["EXISTS", &queue]) == Reply::Int(1)
    })
    .await;
    waiting
}

#[tokio::test]
async fn a_queue_on_another_node_does_not_block_the_lock() {
    let cluster = RedisCluster::start();
    let (one, two) = (connect(&cluster).await, connect(&cluster).await);
    for moves_record in [true, false] {
        let ([key], slot) = keys(&cluster);
        one.create(&key, record(&one, "x", Some(MINUTE))).await.unwrap();
        let mut held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
        let waiting = wait_in_the_queue(&cluster, &two, key).await;
        cluster.open_slot(slot, 0, 1);
        migrate(
            &cluster,
            &name(&key, "sessile:", if moves_record { "" } else { ":wait" }),
        );
        promptly("commit", one.commit(&mut held.lock, record(&one, "y", Some(MINUTE))))
            .await
            .unwrap();
        if !moves_record {
            // The next holder of the lock that can read the queue has to do so.
            let mark = cluster.nodes()[0].command(&["GETRANGE", &name(&key, "sessile:", ""), "48", "48"]);
            assert!(matches!(mark, Reply::Text(byte) if byte[0] % 2 == 1));
        }
        // The next request comes within a poll interval.
        let locked = waiting.await.unwrap();
        assert_eq!(locked.record.payload, "y");
        two.release(locked.lock).await.unwrap();
        is_served(&one, &key).await;
        assert_eq!(one.destroy(&key).await.unwrap(), Lookup::Found(()));
    }
}

/// A lock that was taken without naming the queue is not handed to its own token when its release names the queue.
#[tokio::test]
async fn an_entry_in_a_queue_on_another_node_costs_no_lease() {
    let cluster = RedisCluster::start();
    let one = connect(&cluster).await;
    let two = RedisStorage::builder(servers(&cluster)).lease(MINUTE * 10);
    let two = Arc::new(two.poll(Duration::from_secs(3)).connect().await.unwrap());
    for narrow in [false, true] {
        let ([key], slot) = keys(&cluster);
        one.create(&key, record(&one, "x", None)).await.unwrap();
        let held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
        let waiting = wait_in_the_queue(&cluster, &two, key).await;
        let queue = name(&key, "sessile:", ":wait");
        cluster.open_slot(slot, 0, 1);
        migrate(&cluster, &queue);
        one.release(held.lock).await.unwrap();
        let mut locked = waiting.await.unwrap();
        if narrow {
            two.commit(&mut locked.lock, record(&two, "y", None)).await.unwrap();
            locked = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
        }
        // The migration is cancelled, and the queue is back.
        let stable = |node: usize| {
            let done = cluster.nodes()[node].command(&["CLUSTER", "SETSLOT", &slot.to_string(), "STABLE"]);
            assert_eq!(done.text(), "OK");
        };
        stable(0);
        let port = cluster.nodes()[0].port().to_string();
        let moved = cluster.nodes()[1].command(&["MIGRATE", "127.0.0.1", &port, &queue, "0", "5000", "REPLACE"]);
        assert!(["OK", "NOKEY"].contains(&moved.text().as_str()), "{moved:?}");
        stable(1);
        let holder = if narrow { &one } else { &two };
        let told = || cluster.nodes()[0].calls("spublish");
        let before = told();
        holder.commit(&mut locked.lock, record(&one, "z", None)).await.unwrap();
        if !narrow {
            assert_eq!(told(), before, "it was handed to the one that gave it up");
        }
        let next = promptly("lock", one.lock(&key, MINUTE)).await.unwrap().found().unwrap();
        assert_eq!(next.record.payload, "z");
        one.release(next.lock).await.unwrap();
    }
}

#[tokio::test]
async fn an_alias_on_another_node_than_its_session_is_followed() {
    let cluster = RedisCluster::start();
    let storage = connect(&cluster).await;
    for moves_alias in [true, false] {
        let ([old, new], slot) = keys(&cluster);
        storage.create(&old, record(&storage, "x", Some(MINUTE))).await.unwrap();
        let mut locked = storage.lock(&old, MINUTE).await.unwrap().found().unwrap();
        let moved = storage.rotate(&mut locked.lock, &new, locked.record, MINUTE);
        moved.await.unwrap();
        cluster.open_slot(slot, 0, 1);
        migrate(&cluster, &name(if moves_alias { &old } else { &new }, "sessile:", ""));
        let read = promptly("read", payload(&storage, &old)).await;
        assert_eq!(read, Lookup::Found("x".into()));
        is_served(&storage, &old).await;
        assert_eq!(
            promptly("destroy", storage.destroy(&old)).await.unwrap(),
            Lookup::Found(())
        );
        assert_eq!(storage.read(&old).await.unwrap(), Lookup::Superseded);
    }
}

/// The new key is created on the importing node, wherever the old one is.
#[tokio::test]
async fn sessions_on_both_nodes_move_to_other_keys() {
    let cluster = RedisCluster::start();
    let storage = connect(&cluster).await;
    for grace in [Duration::ZERO, MINUTE] {
        let ([here, there, first, second, last], slot) = keys(&cluster);
        for key in [&here, &there] {
            storage.create(key, record(&storage, "x", Some(MINUTE))).await.unwrap();
        }
        cluster.open_slot(slot, 0, 1);
        migrate(&cluster, &name(&there, "sessile:", ""));
        for (old, new) in [(&there, &first), (&here, &second), (&second, &last)] {
            let mut locked = storage.lock(old, MINUTE).await.unwrap().found().unwrap();
            let moved = record(&storage, "moved", Some(MINUTE));
            promptly("rotate", storage.rotate(&mut locked.lock, new, moved, grace))
                .await
                .unwrap();
            let by_old = payload(&storage, old).await;
            match grace {
                Duration::ZERO => assert_eq!(by_old, Lookup::Superseded),
                _ => assert_eq!(by_old, Lookup::Found("moved".into())),
            }
            assert_eq!(payload(&storage, new).await, Lookup::Found("moved".into()));
            is_served(&storage, new).await;
        }
        // A taken key is refused.
        let mut locked = storage.lock(&first, MINUTE).await.unwrap().found().unwrap();
        let error = storage
            .rotate(&mut locked.lock, &last, locked.record, grace)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), StorageErrorKind::Exists);
        storage.release(locked.lock).await.unwrap();
        // The first id ends the session wherever it is.
        assert_eq!(storage.destroy(&here).await.unwrap(), Lookup::Found(()));
        assert_eq!(storage.read(&last).await.unwrap(), Lookup::Missing);
        assert_eq!(storage.destroy(&here).await.unwrap(), Lookup::Superseded);
    }
}

/// The records are on both nodes, and move from one to the other with their keys.
#[tokio::test]
async fn facts_are_kept_while_the_slot_migrates() {
    let cluster = RedisCluster::start();
    let storage = connect(&cluster).await;
    let ([here, there, moved], slot) = keys(&cluster);
    let mut written = record(&storage, "x", Some(MINUTE));
    for (key, length) in [(&here, 5), (&there, Facts::MAX_LEN)] {
        written.meta.facts = facts(length);
        storage.create(key, written.clone()).await.unwrap();
    }
    cluster.open_slot(slot, 0, 1);
    migrate(&cluster, &name(&there, "sessile:", ""));
    let mut locked = storage.lock(&here, MINUTE).await.unwrap().found().unwrap();
    assert_eq!(locked.record.meta.facts, facts(5));
    written.meta.facts = facts(300);
    let rotated = storage.rotate(&mut locked.lock, &moved, written.clone(), Duration::ZERO);
    promptly("rotate", rotated).await.unwrap();
    for (key, length) in [(&there, Facts::MAX_LEN), (&moved, 300)] {
        let locked = promptly("lock", storage.lock(key, MINUTE))
            .await
            .unwrap()
            .found()
            .unwrap();
        assert_eq!(locked.record.meta.facts, facts(length));
        storage.release(locked.lock).await.unwrap();
        let (now, version) = (storage.clock().now(), written.meta.version);
        assert!(storage.touch(key, version, Some(now), now).await.unwrap());
        let read = storage.read(key).await.unwrap().found().unwrap().record;
        assert_eq!(read.meta.facts, facts(length));
        // The importing node sends a page elsewhere for them, and so twice for each.
        let mut listed = None;
        let mut cursor = None;
        loop {
            let page = storage.scan(cursor, 100).await.unwrap();
            listed = page.sessions.into_iter().find(|head| head.key == *key).or(listed);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(listed, Some(SessionHead::new(*key, read.meta).with_payload_len(1)));
    }
}

/// An arriving record counts from the moment at which the session has left its old key, whichever process settles it.
#[tokio::test]
async fn an_interrupted_move_is_undone_or_completed() {
    let cluster = RedisCluster::start();
    let storage = connect(&cluster).await;
    let ([old, new], slot) = keys(&cluster);
    storage.create(&old, record(&storage, "x", Some(MINUTE))).await.unwrap();
    cluster.open_slot(slot, 0, 1);
    let at = |node: usize, key: &SessionKey| cluster.nodes()[node].command(&["GET", &name(key, "sessile:", "")]);
    let put = |node: usize, key: &SessionKey, value: &[u8]| {
        set_asking(cluster.nodes()[node].port(), &name(key, "sessile:", ""), value);
    };
    let version = storage.read(&old).await.unwrap().found().unwrap().record.meta.version;
    let Reply::Text(value) = at(0, &old) else {
        panic!("no record")
    };
    let arriving = [&[10], &old.digest()[..], &value].concat();
    put(1, &new, &arriving);
    // The session has not moved.
    assert_eq!(storage.read(&new).await.unwrap(), Lookup::Missing);
    assert!(matches!(storage.lock(&new, MINUTE).await.unwrap(), Lookup::Missing));
    assert_eq!(storage.destroy(&new).await.unwrap(), Lookup::Missing);
    is_served(&storage, &old).await;
    // The session has moved.
    for operation in ["read", "lock", "touch", "destroy"] {
        put(1, &new, &arriving);
        put(0, &old, &[&[2], &new.digest()[..]].concat());
        match operation {
            "read" => assert_eq!(payload(&storage, &new).await, Lookup::Found("x".into())),
            "lock" => {
                let locked = storage.lock(&new, MINUTE).await.unwrap().found().unwrap();
                storage.release(locked.lock).await.unwrap();
            }
            "touch" => {
                let now = storage.clock().now();
                assert!(storage.touch(&new, version, Some(now + MINUTE), now).await.unwrap());
            }
            _ => assert_eq!(storage.destroy(&old).await.unwrap(), Lookup::Found(())),
        }
    }
    assert_eq!(storage.read(&new).await.unwrap(), Lookup::Missing);
}

#[tokio::test]
async fn bare_locks_are_served() {
    let cluster = RedisCluster::start();
    let locks = RedisLocks::connect(servers(&cluster)).await.unwrap();
    let ([here, there, new], slot) = keys(&cluster);
    let mut held = Vec::new();
    for key in [&here, &there] {
        held.push(locks.acquire(key, MINUTE).await.unwrap());
    }
    cluster.open_slot(slot, 0, 1);
    migrate(&cluster, &name(&there, "sessile-locks:", ":lock"));
    held.push(promptly("acquire", locks.acquire(&new, MINUTE)).await.unwrap());
    for lock in held {
        promptly("renew", locks.renew(&lock.id())).await.unwrap();
        assert!(locks.is_held(&lock.id()).await.unwrap());
        let key = *lock.key();
        promptly("release", locks.release(lock)).await.unwrap();
        let lock = promptly("acquire", locks.acquire(&key, MINUTE)).await.unwrap();
        promptly("release", locks.release(lock)).await.unwrap();
    }
}
