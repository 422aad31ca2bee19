//! Sessions of one user in several processes that share a storage.

#[cfg(unix)]
use sessile_lab::redis::{RedisCluster, RedisServer};

use super::{end, ended, key, list, user};
use crate::files::Folder;
use crate::support::Server;

fn shops(storage: &str) -> [Server; 2] {
    let flags = ["--storage", storage, "--storage-timeout", "30", "--lock-wait", "60"];
    let flags = [&flags[..], &["--lock-lease", "10", "--limit", "3"]].concat();
    [Server::start(&flags), Server::start(&flags)]
}

/// Asserts that each shop lists, limits and ends the sessions that have begun in the other.
async fn manage_each_other([one, two]: &[Server; 2], name: &str) {
    let (here, there) = (one.log_in(name).await, two.log_in(name).await);
    let (hers, mine) = (key(two, &there).await, key(one, &here).await);
    for (shop, id) in [(one, &here), (two, &there)] {
        let keys: Vec<_> = list(shop, id).await.iter().map(|it| it["key"].clone()).collect();
        assert_eq!(keys, [&*mine, &*hers]);
    }
    assert_eq!(end(one, &here, &hers).await.status, 204);
    assert!(user(two, &there).await.is_null());

    let others = [two.log_in(name).await, one.log_in(name).await];
    assert_eq!(ended(two, "/logout-others", &others[0]).await, 2);
    assert!(user(one, &here).await.is_null());
    assert_eq!(user(one, &others[0]).await, name);

    // The fourth ends the first.
    let more = [one.log_in(name).await, two.log_in(name).await, one.log_in(name).await];
    assert!(user(one, &others[0]).await.is_null());
    assert_eq!(ended(one, "/logout-everywhere", &more[1]).await, 3);
    for id in &more {
        assert!(user(two, id).await.is_null());
    }
}

#[tokio::test]
async fn in_files() {
    let folder = Folder::new("manage");
    let storage = format!("file:{}", folder.path().display());
    manage_each_other(&shops(&storage), "ada").await;
}

#[cfg(unix)]
#[tokio::test]
async fn in_redis() {
    let redis = RedisServer::start();
    manage_each_other(&shops(&redis.url()), "ada").await;
}

/// The sessions of a user and the list of them are on different nodes.
#[cfg(unix)]
#[tokio::test]
async fn in_a_redis_cluster() {
    let redis = RedisCluster::start();
    let hosts: Vec<_> = redis.urls().iter().map(|url| url.replace("redis://", "")).collect();
    let shops = shops(&format!("redis-cluster://{}", hosts.join(",")));
    for user in 0..8 {
        manage_each_other(&shops, &format!("user {user}")).await;
    }
}
