//! Checks of private items against servers. `tests/internals.rs` starts the servers, with a crate that is not published
//! and that unit tests of the package therefore cannot use.

#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "these are tests, and a panic is their failure"
)]

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Clock as _, LockToken, OsEntropy, SessionId, Timestamp};

use crate::client::{Client, Kind};
use crate::connect::connect;
use crate::options::Options;
use crate::servers::RedisServers;

async fn client_of(servers: RedisServers, kind: Kind) -> Arc<Client> {
    connect(servers, "test:".into(), Options::default(), kind)
        .await
        .unwrap()
}

/// Locks a session four times, the third time as if the server's clock had been set forward since its last reply.
/// `count_calls` counts the calls of scripts that the server has seen.
pub async fn lock_while_the_clock_jumps(url: String, count_calls: impl Fn() -> u64) {
    const HOUR: u64 = 3_600_000;
    let client = client_of(url.into(), Kind::Locks).await;
    let key = SessionId::generate(&OsEntropy).key();
    // The first call loads the script.
    for (behind, questions) in [(0, 2), (0, 1), (HOUR, 2), (0, 1)] {
        let now = client.clock.now().as_millis();
        client.clock.learn(Timestamp::from_millis(now - behind));
        let before = count_calls();
        let (mut lock, _) = client.lock(&key, Duration::ZERO).await.unwrap().found().unwrap();
        assert_eq!(count_calls() - before, questions);
        client.release(&lock.id()).await.unwrap();
        lock.disarm();
    }
}

/// Marks one node of a cluster as one that refuses conditional writes, and then breaks the connection to it: a cluster
/// is upgraded node by node.
pub async fn refuse_conditions_on_one_node(urls: Vec<String>) {
    let client = client_of(RedisServers::cluster(urls), Kind::Sessions).await;
    let mut shards = Vec::new();
    while shards.len() < 60 {
        let key = SessionId::generate(&OsEntropy).key();
        client.get(&key, &client.keys.record(&key)).await.unwrap();
        shards.push(key.shard().to_owned());
    }
    let node = |shard: &str| client.router.known_node(shard).unwrap();
    let (conditions, first) = (&client.conditional_set, node(&shards[0]));
    let may_be_set = || {
        let may = |shard: &String| {
            (
                node(shard).addr == first.addr,
                conditions.is_supported(&client.router, shard),
            )
        };
        shards.iter().map(may).collect::<Vec<_>>()
    };
    assert!(may_be_set().iter().all(|(_, may)| *may));
    conditions.mark_unsupported(&client.router, &shards[0]);
    assert!(may_be_set().iter().all(|(is_first, may)| is_first != may));
    assert!(may_be_set().iter().any(|(_, may)| *may));
    // The server restarts, possibly as another version.
    first.connection_for(&shards[0]).disconnect();
    assert!(may_be_set().iter().all(|(_, may)| *may));
}

/// Waits for a message that is late and for messages that never come. `publish` sends a message on a channel, and
/// returns the number of subscribers that the server has sent it to.
///
/// Needs a single-threaded runtime: nothing that the server has sent is read before this function awaits.
pub async fn verify_late_and_lost_messages(url: String, publish: impl Fn(&[u8], &[u8]) -> i64) {
    let client = client_of(url.into(), Kind::Locks).await;
    let key = SessionId::generate(&OsEntropy).key();
    let shard = key.shard();
    let channel = client.keys.channel(client.router.channel_shard(shard), &client.process);
    let generation = client.router.subscribe(shard, &channel).await.unwrap();
    let send = |token: &LockToken| {
        let message = [token.as_bytes().as_slice(), &[0]].concat();
        assert_eq!(publish(&channel, &message), 1);
    };

    let token = LockToken::generate(&OsEntropy);
    let late = client.queues.await_message(token);
    send(&token);
    assert!(!late.has_arrived());
    client
        .router
        .verify(shard, generation, &channel, || late.has_arrived())
        .await;
    assert!(late.has_arrived());
    assert_eq!(client.router.subscribe(shard, &channel).await.unwrap(), generation);

    let never = client.queues.await_message(LockToken::generate(&OsEntropy));
    send(&token);
    // A message that was expected on another connection proves nothing about this one.
    client
        .router
        .verify(shard, generation + 1, &channel, || never.has_arrived())
        .await;
    assert_eq!(client.router.subscribe(shard, &channel).await.unwrap(), generation);
    client
        .router
        .verify(shard, generation, &channel, || never.has_arrived())
        .await;
    // The next connection is the next one: no call was about a generation that has not been.
    assert_eq!(client.router.subscribe(shard, &channel).await.unwrap(), generation + 1);
}
