//! Private items against servers: the checks are in `src/internals.rs`.

use sessile_lab::redis::{RedisCluster, RedisServer, Reply};
use sessile_redis::internals;

#[tokio::test]
async fn a_server_whose_clock_has_jumped_is_asked_once_more() {
    let server = RedisServer::start();
    internals::lock_while_the_clock_jumps(server.url(), || server.calls("evalsha") + server.calls("eval")).await;
}

#[tokio::test]
async fn a_refusal_holds_for_one_node_and_for_the_life_of_its_connection() {
    let cluster = RedisCluster::start();
    internals::refuse_conditions_on_one_node(cluster.urls()).await;
}

#[tokio::test]
async fn a_connection_is_discarded_for_messages_that_never_come_but_not_for_late_ones() {
    let server = RedisServer::start();
    internals::verify_late_and_lost_messages(server.url(), |channel, message| {
        match server.command_bytes(&[b"SPUBLISH", channel, message]) {
            Reply::Int(receivers) => receivers,
            other => panic!("{other:?}"),
        }
    })
    .await;
}
