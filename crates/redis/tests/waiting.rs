//! Waiting for a lock: in order, woken by message, in turn among processes, and without leftovers.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile_core::{Lookup, SessionKey, Storage, StorageError, StorageErrorKind};
use sessile_lab::redis::{RedisServer, Reply};
use sessile_redis::RedisStorage;
use support::{fresh, fresh_pair, payload, record, until};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

const MINUTE: Duration = Duration::from_secs(60);

/// Returns a separate process, as far as the server can tell. It never polls, so it learns everything by message.
async fn process(server: &RedisServer) -> Arc<RedisStorage> {
    Arc::new(
        RedisStorage::builder(server.url())
            .poll(MINUTE)
            .connect()
            .await
            .expect("a connection"),
    )
}

fn keys(server: &RedisServer) -> usize {
    server.command(&["KEYS", "*"]).items().len()
}

/// Waits until this many processes have entries in the server's queue.
async fn queued(server: &RedisServer, key: &str, processes: i64) {
    until("in the queue", || {
        server.command(&["LLEN", key]).text() == processes.to_string()
    })
    .await;
}

/// Waits for a session's lock, and releases it.
fn waiter(storage: &Arc<RedisStorage>, key: SessionKey) -> JoinHandle<Result<Lookup<()>, StorageError>> {
    let storage = Arc::clone(storage);
    tokio::spawn(async move { storage.lock(&key, MINUTE).await.map(|locked| locked.map(drop)) })
}

/// Returns the name of the only record.
fn record_name(server: &RedisServer) -> String {
    let names = server.command(&["KEYS", "*"]);
    let names: Vec<_> = names.items().iter().map(Reply::text).collect();
    names
        .into_iter()
        .find(|name| !name.ends_with(":wait"))
        .expect("a record")
}

fn queue_name(server: &RedisServer) -> String {
    record_name(server) + ":wait"
}

/// Returns whether the only record is locked: whether the end of a lease is set.
fn is_locked(server: &RedisServer) -> bool {
    server.command(&["GETRANGE", &record_name(server), "35", "40"]) != Reply::Text(vec![0; 6])
}

#[tokio::test]
async fn waiters_are_served_in_the_order_in_which_they_came() {
    let server = RedisServer::start();
    let storage = process(&server).await;
    let key = fresh();
    storage.create(&key, record(&storage, "", None)).await.unwrap();
    let held = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let served = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for number in 0..20 {
        let (storage, served) = (Arc::clone(&storage), Arc::clone(&served));
        tasks.push(tokio::spawn(async move {
            let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
            served.lock().await.push(number);
            storage.commit(&mut locked.lock, locked.record).await.unwrap();
        }));
        tokio::task::yield_now().await;
    }
    storage.release(held.lock).await.unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*served.lock().await, (0..20).collect::<Vec<_>>());
    assert_eq!(keys(&server), 1);
}

#[tokio::test]
async fn a_process_sends_one_request_for_any_number_of_waiters() {
    let server = RedisServer::start();
    let storage = process(&server).await;
    let key = fresh();
    storage.create(&key, record(&storage, "", None)).await.unwrap();
    let held = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let before = server.calls("evalsha");
    let tasks: Vec<_> = (0..32).map(|_| waiter(&storage, key)).collect();
    queued(&server, &queue_name(&server), 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    // One request finds the lock held, the other joins the queue.
    assert_eq!(server.calls("evalsha") - before, 2);
    drop(held);
    for task in tasks {
        assert!(task.await.unwrap().unwrap().is_found());
    }
}

#[tokio::test]
async fn a_lock_is_handed_from_process_to_process_without_polling() {
    let server = RedisServer::start();
    let (one, two) = (process(&server).await, process(&server).await);
    let key = fresh();
    one.create(&key, record(&one, "", None)).await.unwrap();
    for round in 0..20 {
        let mut held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
        let waiting = tokio::spawn({
            let two = Arc::clone(&two);
            async move { two.lock(&key, MINUTE).await.unwrap().found().unwrap() }
        });
        queued(&server, &queue_name(&server), 1).await;
        let start = Instant::now();
        one.commit(&mut held.lock, record(&one, &round.to_string(), None))
            .await
            .unwrap();
        let mut locked = waiting.await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert_eq!(
            locked.record.payload,
            round.to_string(),
            "the record comes with the lock"
        );
        two.renew(&locked.lock.id()).await.unwrap();
        two.commit(&mut locked.lock, locked.record).await.unwrap();
    }
    assert_eq!(keys(&server), 1);
}

#[tokio::test]
async fn processes_take_turns() {
    let server = RedisServer::start();
    let processes = [process(&server).await, process(&server).await];
    let key = fresh();
    processes[0]
        .create(&key, record(&processes[0], "", None))
        .await
        .unwrap();
    let held = processes[0].lock(&key, MINUTE).await.unwrap().found().unwrap();
    let served = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for (number, storage) in processes.iter().enumerate() {
        for _ in 0..16 {
            let (storage, served) = (Arc::clone(storage), Arc::clone(&served));
            tasks.push(tokio::spawn(async move {
                let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
                served.lock().await.push(number);
                // Time enough for the next waiter of this process to join the queue again.
                tokio::time::sleep(Duration::from_millis(10)).await;
                storage.commit(&mut locked.lock, locked.record).await.unwrap();
            }));
        }
    }
    queued(&server, &queue_name(&server), 2).await;
    drop(held);
    for task in tasks {
        task.await.unwrap();
    }
    let served = served.lock().await;
    let repeated = served.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert_eq!(repeated, 0, "{served:?}");
}

#[tokio::test]
async fn a_waiter_that_gives_up_leaves_nothing_behind() {
    let server = RedisServer::start();
    let (one, two) = (process(&server).await, process(&server).await);
    let key = fresh();
    one.create(&key, record(&one, "", None)).await.unwrap();
    let held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let queue = queue_name(&server);
    for _ in 0..10 {
        let waiting = waiter(&two, key);
        queued(&server, &queue, 1).await;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        queued(&server, &queue, 0).await;
    }
    let error = two.lock(&key, Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::LockTimeout);
    queued(&server, &queue, 0).await;
    drop(held);
    until("released", || !is_locked(&server)).await;
    assert_eq!(keys(&server), 1);
}

#[tokio::test]
async fn a_lock_granted_to_a_waiter_that_has_gone_is_handed_on() {
    let server = RedisServer::start();
    let processes = [process(&server).await, process(&server).await, process(&server).await];
    let key = fresh();
    let [one, two, three] = &processes;
    one.create(&key, record(one, "", None)).await.unwrap();
    for _ in 0..50 {
        let mut held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
        let queue = queue_name(&server);
        let gone = waiter(two, key);
        queued(&server, &queue, 1).await;
        let stays = waiter(three, key);
        queued(&server, &queue, 2).await;
        one.commit(&mut held.lock, held.record).await.unwrap();
        gone.abort();
        assert!(
            tokio::time::timeout(Duration::from_secs(5), stays)
                .await
                .unwrap()
                .unwrap()
                .unwrap()
                .is_found()
        );
        until("released", || !is_locked(&server)).await;
        assert_eq!(keys(&server), 1);
    }
}

#[tokio::test]
async fn a_dropped_lock_releases_itself() {
    let server = RedisServer::start();
    let storage = process(&server).await;
    let key = fresh();
    storage.create(&key, record(&storage, "", None)).await.unwrap();
    let held = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    assert!(is_locked(&server));
    // Dropped outside of any runtime, too.
    std::thread::spawn(move || drop(held)).join().unwrap();
    until("released", || !is_locked(&server)).await;
    assert_eq!(keys(&server), 1);
}

#[tokio::test]
async fn all_waiters_learn_of_the_end_of_a_session() {
    let server = RedisServer::start();
    let (one, two) = (process(&server).await, process(&server).await);
    for rotates in [false, true] {
        let (key, new_key) = fresh_pair();
        one.create(&key, record(&one, "", None)).await.unwrap();
        let mut held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
        let waiting: Vec<_> = (0..8).map(|_| waiter(&two, key)).collect();
        queued(&server, &queue_name(&server), 1).await;
        let before = server.calls("evalsha");
        if rotates {
            one.rotate(&mut held.lock, &new_key, held.record.clone(), Duration::ZERO)
                .await
                .unwrap();
        } else {
            one.destroy(&key).await.unwrap();
        }
        for task in waiting {
            let reply = tokio::time::timeout(Duration::from_secs(5), task)
                .await
                .unwrap()
                .unwrap()
                .unwrap();
            assert_eq!(reply, if rotates { Lookup::Superseded } else { Lookup::Missing });
        }
        assert_eq!(server.calls("evalsha") - before, 2, "one asks for all");
        one.destroy(&new_key).await.unwrap();
        drop(held);
    }
}

#[tokio::test]
async fn a_waiter_follows_a_session_that_moves_with_grace() {
    let server = RedisServer::start();
    let (one, two) = (process(&server).await, process(&server).await);
    let (key, new_key) = fresh_pair();
    one.create(&key, record(&one, "one", None)).await.unwrap();
    let mut held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let two = Arc::clone(&two);
            tokio::spawn(async move {
                let mut locked = two.lock(&key, MINUTE).await.unwrap().found().unwrap();
                assert_eq!(locked.lock.key(), &new_key);
                let text = String::from_utf8(locked.record.payload.to_vec()).unwrap() + "+";
                let record = record(&two, &text, None);
                two.commit(&mut locked.lock, record).await.unwrap();
            })
        })
        .collect();
    queued(&server, &queue_name(&server), 1).await;
    one.rotate(&mut held.lock, &new_key, record(&one, "two", None), MINUTE)
        .await
        .unwrap();
    for task in waiting {
        tokio::time::timeout(Duration::from_secs(5), task)
            .await
            .unwrap()
            .unwrap();
    }
    assert_eq!(payload(&one, &key).await, Lookup::Found("two++++".into()));
}

#[tokio::test]
async fn a_lost_subscription_is_replaced() {
    let server = RedisServer::start();
    let (one, two) = (process(&server).await, process(&server).await);
    let key = fresh();
    one.create(&key, record(&one, "", None)).await.unwrap();
    for _ in 0..5 {
        let mut held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
        let waiting = waiter(&two, key);
        queued(&server, &queue_name(&server), 1).await;
        server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        one.commit(&mut held.lock, held.record).await.unwrap();
        let reply = tokio::time::timeout(Duration::from_secs(5), waiting)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert!(reply.is_found());
    }
}

#[tokio::test]
async fn polling_compensates_for_a_lost_message() {
    let server = RedisServer::start();
    let one = process(&server).await;
    let poll = Duration::from_secs(1);
    let two = Arc::new(RedisStorage::builder(server.url()).poll(poll).connect().await.unwrap());
    let key = fresh();
    one.create(&key, record(&one, "", None)).await.unwrap();
    let mut held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let waiting = waiter(&two, key);
    let queue = queue_name(&server);
    queued(&server, &queue, 1).await;
    // The server has granted the lock, and the message is lost.
    let token = loop {
        // An entry ages, and is renewed by the next request.
        if let Reply::Text(entry) = server.command(&["LINDEX", &queue, "0"]) {
            break entry[..16].to_vec();
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    server.command(&["DEL", &queue]);
    let ends = (one.clock().now() + MINUTE).as_millis().to_be_bytes();
    let lock = [&token, &ends[2..]].concat();
    server.command_bytes(&[b"SETRANGE", record_name(&server).as_bytes(), b"19", &lock]);
    let reply = tokio::time::timeout(MINUTE, waiting).await.unwrap().unwrap().unwrap();
    assert!(reply.is_found());
    let error = one.commit(&mut held.lock, held.record).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::LockLost);
}

#[tokio::test]
async fn a_holder_that_vanished_blocks_for_its_lease_and_no_longer() {
    let server = RedisServer::start();
    let lease = Duration::from_millis(300);
    let one = RedisStorage::builder(server.url())
        .lease(lease)
        .connect()
        .await
        .unwrap();
    let two = process(&server).await;
    let key = fresh();
    one.create(&key, record(&one, "", None)).await.unwrap();
    let vanished = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let start = Instant::now();
    let locked = two.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let waited = start.elapsed();
    assert!(
        Duration::from_millis(200) < waited && waited < Duration::from_secs(5),
        "{waited:?}"
    );
    drop((vanished, locked));
}

#[tokio::test]
async fn waiting_is_bounded() {
    let server = RedisServer::start();
    let storage = Arc::new(
        RedisStorage::builder(server.url())
            .max_waiters(3)
            .connect()
            .await
            .unwrap(),
    );
    let key = fresh();
    storage.create(&key, record(&storage, "", None)).await.unwrap();
    let held = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let waiting: Vec<_> = (0..3).map(|_| waiter(&storage, key)).collect();
    queued(&server, &queue_name(&server), 1).await;
    let error = storage.lock(&key, MINUTE).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::TooManyWaiters);
    drop(held);
    for task in waiting {
        assert!(task.await.unwrap().unwrap().is_found());
    }
}

/// A process that is stopped for longer than a lease receives its grant after the lease.
#[tokio::test]
async fn a_grant_that_arrives_too_late_is_requested_again() {
    const LEASE: Duration = Duration::from_secs(2);
    let server = RedisServer::start();
    let process = async || {
        let storage = RedisStorage::builder(server.url()).poll(MINUTE).lease(LEASE);
        storage.connect().await.expect("a connection")
    };
    let (one, two) = (process().await, process().await);
    let key = fresh();
    one.create(&key, record(&one, "1", None)).await.unwrap();
    let mut held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();

    let mut stopped = Box::pin(two.lock(&key, MINUTE));
    let mut behind = Box::pin(two.lock(&key, MINUTE));
    let moment = Duration::from_millis(100);
    assert!(tokio::time::timeout(moment, &mut stopped).await.is_err());
    assert!(tokio::time::timeout(moment, &mut behind).await.is_err());
    // The lock is handed to a process that does not take it, and whose lease ends.
    one.commit(&mut held.lock, record(&one, "2", None)).await.unwrap();
    let mut held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
    one.commit(&mut held.lock, record(&one, "3", None)).await.unwrap();

    drop(stopped);
    let mut late = behind.await.unwrap().found().unwrap();
    assert_eq!(late.record.payload, "3");
    two.commit(&mut late.lock, record(&two, "4", None)).await.unwrap();
}

/// A process is cut off from its messages for so long that another has had the lock, and written, meanwhile.
#[tokio::test]
async fn a_grant_from_before_the_last_request_is_ignored() {
    let server = RedisServer::start();
    let one = process(&server).await;
    let two = RedisStorage::builder(server.url()).poll(Duration::from_millis(200));
    let two = Arc::new(two.connect().await.unwrap());
    let key = fresh();
    one.create(&key, record(&one, "old", None)).await.unwrap();
    let mut held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let waiting = tokio::spawn({
        let two = Arc::clone(&two);
        async move { two.lock(&key, MINUTE).await.unwrap().found().unwrap() }
    });
    let queue = queue_name(&server);
    let entry = || match server.command(&["LINDEX", &queue, "0"]) {
        Reply::Text(entry) => entry,
        _ => Vec::new(),
    };
    queued(&server, &queue, 1).await;
    let first = entry();
    let (token, look, channel) = (&first[..16], &first[26..34], &first[34..]);
    let Reply::Text(old) = server.command(&["GET", &record_name(&server)]) else {
        panic!("no record")
    };
    until("looked again", || entry().get(26..34).is_some_and(|last| last != look)).await;
    let looks = server.calls("evalsha");
    let late = [token, &[1], look, &old].concat();
    let heard = server.command_bytes(&[b"SPUBLISH", channel, &late]);
    assert_eq!(heard, Reply::Int(1));
    until("looked again", || server.calls("evalsha") > looks + 1).await;
    assert!(!waiting.is_finished());
    one.commit(&mut held.lock, record(&one, "new", None)).await.unwrap();
    let locked = waiting.await.unwrap();
    assert_eq!(locked.record.payload, "new");
    two.release(locked.lock).await.unwrap();
}

/// When a subscription is discarded, all waiters that depend on it ask again.
#[tokio::test]
async fn all_waiters_ask_again_when_their_subscription_is_discarded() {
    let server = RedisServer::start();
    let (one, two) = (process(&server).await, process(&server).await);
    let (key, other) = (fresh(), fresh());
    one.create(&other, record(&one, "", None)).await.unwrap();
    let other_held = one.lock(&other, MINUTE).await.unwrap().found().unwrap();
    let waits = waiter(&two, other);
    until("in the queue", || {
        server.command(&["KEYS", "*:wait"]).items().len() == 1
    })
    .await;
    let looks = server.calls("evalsha");

    // Another request finds that it was granted a lock without a message.
    let lease = Duration::from_secs(2);
    let three = RedisStorage::builder(server.url())
        .lease(lease)
        .connect()
        .await
        .unwrap();
    one.create(&key, record(&one, "", None)).await.unwrap();
    let vanished = three.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let granted = waiter(&two, key);
    until("in the queue", || {
        server.command(&["KEYS", "*:wait"]).items().len() == 2
    })
    .await;
    let names = server.command(&["KEYS", "*"]);
    let names: Vec<_> = names.items().iter().map(Reply::text).collect();
    let name = names.iter().find(|name| {
        let shard = key.shard();
        !name.ends_with(":wait") && name.contains(&key.to_string().replacen(shard, &format!("{{{shard}}}"), 1))
    });
    let name = name.unwrap();
    let Reply::Text(entry) = server.command(&["LINDEX", &format!("{name}:wait"), "0"]) else {
        panic!("no entry")
    };
    server.command(&["DEL", &format!("{name}:wait")]);
    let ends = (one.clock().now() + MINUTE).as_millis().to_be_bytes();
    let lock = [&entry[..16], &ends[2..]].concat();
    server.command_bytes(&[b"SETRANGE", name.as_bytes(), b"19", &lock]);
    assert!(granted.await.unwrap().unwrap().is_found());

    // The first requests of three, two of the one that was granted the lock, its release, and the request of the
    // waiter.
    until("looked again", || server.calls("evalsha") > looks + 5).await;
    one.release(other_held.lock).await.unwrap();
    assert!(waits.await.unwrap().unwrap().is_found());
    drop(vanished);
}

/// A waiter need not receive the record again and again while others change it.
#[tokio::test]
async fn a_record_is_read_when_its_lock_is_taken_and_not_before() {
    let server = RedisServer::start();
    let one = process(&server).await;
    let short = Duration::from_millis(20);
    let key = fresh();
    let large = "x".repeat(1 << 20);
    one.create(&key, record(&one, &large, None)).await.unwrap();
    let held = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let (looks, reads) = (server.calls("evalsha"), server.calls("get"));
    let mut waiting = Vec::new();
    for _ in 0..5 {
        let storage = RedisStorage::builder(server.url()).poll(short).connect().await.unwrap();
        waiting.push(waiter(&Arc::new(storage), key));
    }
    // Connecting reads a key of its own.
    let connected = server.calls("get") - reads;
    assert!(connected <= 2 * 5, "{connected}");
    let reads = server.calls("get");
    until("looked at often", || server.calls("evalsha") > looks + 100).await;
    assert_eq!(server.calls("get"), reads);
    one.release(held.lock).await.unwrap();
    for task in waiting {
        assert!(task.await.unwrap().unwrap().is_found());
    }
}
