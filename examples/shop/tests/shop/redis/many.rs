//! Two shops behind Sentinel, and on a cluster.

use sessile_lab::redis::{RedisCluster, RedisSentinel};

use super::{share, shop};
use crate::support::{Request, until};

/// Returns the addresses without their scheme.
fn hosts(urls: &[String]) -> String {
    let hosts: Vec<_> = urls.iter().map(|url| url.trim_start_matches("redis://")).collect();
    hosts.join(",")
}

#[tokio::test]
async fn behind_sentinel_each_shop_sees_the_sessions_of_the_other_before_and_after_a_failover() {
    let redis = RedisSentinel::start();
    let url = format!("redis-sentinel://{}/{}", hosts(&redis.urls()), redis.name());
    let (one, two) = (shop(&url), shop(&url));
    share(&one, &two).await;
    let id = one.log_in("ada").await;

    // A planned failover waits for the replica and loses nothing.
    redis.fail_over();
    until("the new primary is found", async || {
        two.send(Request::get("/me").id(&id)).await.status == 200
            && one.send(Request::post("/count").id(&id)).await.status == 200
    })
    .await;
    assert_eq!(two.send(Request::get("/me").id(&id)).await.json()["user"], "ada");
    assert!(two.count(&id).await > 0);
    share(&two, &one).await;
}

#[tokio::test]
async fn on_a_cluster_each_shop_sees_the_sessions_of_the_other() {
    let redis = RedisCluster::start();
    let urls = redis.urls();
    // One shop knows the first node, the other all but the first.
    let one = shop(&format!("redis-cluster://{}", hosts(&urls[..1])));
    let two = shop(&format!("redis-cluster://{}", hosts(&urls[1..])));
    // Ids are random: this many are on all three primaries, except once in a hundred million runs.
    for _ in 0..48 {
        share(&one, &two).await;
    }
    for node in &redis.nodes()[..3] {
        assert!(node.calls("set") > 0, "port {} keeps no sessions", node.port());
    }
}
