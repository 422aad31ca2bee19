#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

use sessile_core::{OsEntropy, SessionId};
use sessile_testkit::redis::RedisCluster;

use crate::client::Kind;
use crate::connect::connect;
use crate::net::Idempotency;
use crate::options::Options;
use crate::servers::RedisServers;

/// A cluster is upgraded node by node.
#[tokio::test]
async fn a_refusal_holds_for_one_node_and_for_the_life_of_its_connection() {
    let cluster = RedisCluster::start();
    let servers = RedisServers::cluster(cluster.urls());
    let client = connect(servers, "test:".into(), Options::default(), Kind::Sessions);
    let client = client.await.unwrap();
    let mut shards = Vec::new();
    while shards.len() < 60 {
        let key = SessionId::generate(&OsEntropy).key();
        let mut get = redis::cmd("GET");
        get.arg(client.keys.record(&key));
        client
            .router
            .send(key.shard(), &get, Idempotency::Idempotent)
            .await
            .unwrap();
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
