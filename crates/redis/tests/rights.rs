//! The documented permissions beyond a single server: in a cluster, behind Sentinel, for durable writes, in another
//! database.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::time::Duration;

use sessile_core::{Lookup, Storage, StorageError, StorageErrorKind};
use sessile_lab::redis::{RedisCluster, RedisSentinel, RedisServer};
use sessile_redis::{RedisLocks, RedisServers, RedisStorage, RedisStorageBuilder};
use support::{allow, eventually, fresh, payload, permissions, record, until};

const MINUTE: Duration = Duration::from_secs(60);

/// Returns what the table adds for this case.
fn more_for(case: &str) -> Vec<String> {
    let row = include_str!("../README.md")
        .lines()
        .find_map(|line| line.strip_prefix(&format!("| {case} | `")));
    // A bar has to be escaped in a table.
    let permissions = row.expect(case).trim_end_matches("` |").replace("\\|", "|");
    permissions.split(' ').map(str::to_owned).collect()
}

fn as_user(servers: RedisServers) -> RedisStorageBuilder {
    RedisStorage::builder(servers.username("sessions").password("secret"))
}

/// Runs the life of a session, with two waiters for its lock.
async fn works(storage: &RedisStorage) {
    let key = fresh();
    storage
        .create(&key, record(storage, "one", Some(MINUTE)))
        .await
        .unwrap();
    let locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let waiting = storage.lock(&key, MINUTE);
    let release = storage.release(locked.lock);
    let (mut locked, released) = tokio::join!(async { waiting.await.unwrap().found().unwrap() }, release);
    released.unwrap();
    storage
        .commit(&mut locked.lock, record(storage, "two", Some(MINUTE)))
        .await
        .unwrap();
    for length in [4, 5_000] {
        let known = storage.read(&key).await.unwrap().found().unwrap();
        let mut next = record(storage, &"x".repeat(length), Some(MINUTE));
        next.meta.version = known.record.meta.version + 1;
        assert!(storage.replace(&known, next).await.unwrap());
    }
    assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Found(()));
}

#[tokio::test]
async fn in_a_cluster() {
    let cluster = RedisCluster::start();
    let permissions = [permissions(), more_for("in a cluster")].concat();
    for node in cluster.nodes() {
        allow(node, &permissions);
    }
    let storage = as_user(RedisServers::cluster(cluster.urls())).connect().await.unwrap();
    for _ in 0..20 {
        works(&storage).await;
    }
    assert_eq!(storage.check().await.unwrap(), []);

    // A slot that is migrating: absent keys are requested from the importing node.
    let key = fresh();
    storage.create(&key, record(&storage, "x", None)).await.unwrap();
    let slot = cluster.nodes()[0].command(&["CLUSTER", "KEYSLOT", &format!("{{{}}}", key.shard())]);
    let slot = slot.text().parse().unwrap();
    let from = cluster.owner(slot);
    let to = (from + 1) % 3;
    let to = if cluster.nodes()[to].command(&["ROLE"]).items()[0].text() == "master" {
        to
    } else {
        (from + 2) % 3
    };
    cluster.open_slot(slot, from, to);
    let port = cluster.nodes()[to].port().to_string();
    let name = cluster.nodes()[from].command(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), "1"]);
    let name = name.items()[0].text();
    let moved = cluster.nodes()[from].command(&["MIGRATE", "127.0.0.1", &port, &name, "0", "5000"]);
    assert_eq!(moved.text(), "OK");
    assert!(storage.read(&key).await.unwrap().is_found());
    cluster.close_slot(slot, from, to);
    assert!(storage.read(&key).await.unwrap().is_found());
}

#[tokio::test]
async fn behind_sentinel_and_with_durable_writes() {
    let mut group = RedisSentinel::start();
    let permissions = [permissions(), more_for("behind Sentinel"), more_for("with `durable`")].concat();
    for server in group.servers() {
        allow(server, &permissions);
    }
    let on_sentinels = include_str!("../README.md")
        .lines()
        .find_map(|line| line.strip_prefix("A user on the sentinels needs `")?.strip_suffix("`."))
        .expect("the rights are in the documentation");
    let on_sentinels: Vec<_> = ["on", ">other"]
        .into_iter()
        .chain(on_sentinels.split(' '))
        .map(str::to_owned)
        .collect();
    for sentinel in group.sentinels_mut() {
        allow(sentinel, &on_sentinels);
    }
    let urls = group.urls();
    let urls = urls
        .iter()
        .map(|url| url.replace("redis://", "redis://sessions:other@"));
    let servers = RedisServers::sentinel(urls, group.name());
    let storage = as_user(servers).durable(1, Duration::from_secs(30));
    let storage = storage.durable_commits().connect().await.unwrap();
    works(&storage).await;
    group.fail_over();
    eventually("written again", async || {
        let key = fresh();
        storage.create(&key, record(&storage, "x", None)).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn in_a_database_of_its_own() {
    let server = RedisServer::start();
    allow(
        &server,
        &[permissions(), more_for("in another database than 0")].concat(),
    );
    let servers = RedisServers::single(server.url()).database(3);
    works(&as_user(servers).connect().await.unwrap()).await;
}

#[tokio::test]
async fn none_of_the_documented_permissions_is_superfluous() {
    let (server, sentinel) = (RedisServer::start(), RedisSentinel::start());
    for server in sentinel.servers() {
        allow(server, &permissions());
    }
    allow(&server, &permissions());
    let database = RedisServers::single(server.url()).database(3);
    assert!(as_user(database).connect().await.is_err());
    let watched = RedisServers::sentinel(sentinel.urls(), sentinel.name());
    assert!(as_user(watched).connect().await.is_err());
    let durable = as_user(RedisServers::single(server.url())).durable(1, Duration::from_secs(1));
    assert_eq!(forbidden(durable.connect().await), "WAIT");
    // A single server that is no cluster says so, unless CLUSTER SLOTS is forbidden.
    let cluster = RedisServers::cluster([server.url()]);
    let error = as_user(cluster).connect().await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Denied);
}

/// Returns the command that a user may not call, as the error of connecting names it.
fn forbidden<T: std::fmt::Debug>(connected: Result<T, StorageError>) -> String {
    let error = connected.unwrap_err();
    assert_eq!(
        (error.operation(), error.kind()),
        ("connect", StorageErrorKind::Denied),
        "{error:?}"
    );
    let reason = std::error::Error::source(&error).expect("a reason").to_string();
    reason.rsplit(' ').next().unwrap_or_default().to_owned()
}

/// A command that is forbidden inside a script fails only when it is called. This must not happen in the middle of the
/// first commit.
#[tokio::test]
async fn connecting_names_a_missing_permission() {
    let server = RedisServer::start();
    let all = permissions();
    // Without publishing or subscribing, waiting is slower; without SCAN, nothing can be listed; without STRLEN, a list
    // has no lengths. The others are checked by name.
    let not_needed = [
        "+spublish",
        "+ssubscribe",
        "+scan",
        "+strlen",
        "+info",
        "+hello",
        "+pttl",
    ];
    for right in all.iter().filter(|right| right.starts_with('+')) {
        let fewer: Vec<_> = all.iter().filter(|other| *other != right).cloned().collect();
        allow(&server, &fewer);
        let connected = as_user(RedisServers::single(server.url())).connect().await;
        if not_needed.contains(&right.as_str()) {
            let _ = connected;
        } else if right == "+time" {
            // TIME is the first command.
            assert_eq!(connected.unwrap_err().kind(), StorageErrorKind::Denied);
        } else {
            assert_eq!(forbidden(connected), right[1..].to_uppercase());
        }
        // A key that may not be deleted expires.
        until("gone", || server.command(&["DBSIZE"]).text() == "0").await;
    }
    let locks = |permissions: &[String]| {
        allow(&server, permissions);
        let servers = RedisServers::single(server.url())
            .username("sessions")
            .password("secret");
        RedisLocks::builder(servers).prefix("sessile:").connect()
    };
    locks(&all).await.unwrap();
    let fewer: Vec<_> = all.iter().filter(|right| *right != "+pttl").cloned().collect();
    assert_eq!(forbidden(locks(&fewer).await), "PTTL");
    assert_eq!(server.command(&["DBSIZE"]).text(), "0");
}

/// A permission can be revoked while sessions are served: a refused write names the reason, and an acknowledged one
/// holds.
#[tokio::test]
async fn a_permission_that_is_revoked_later_denies_the_write_or_does_not_matter() {
    let server = RedisServer::start();
    let all = permissions();
    for right in all.iter().filter(|right| right.starts_with('+')) {
        allow(&server, &all);
        let storage = as_user(RedisServers::single(server.url())).connect().await.unwrap();
        let key = fresh();
        storage.create(&key, record(&storage, "one", None)).await.unwrap();
        let mut locked = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
        server.command(&["ACL", "SETUSER", "sessions", &right.replace('+', "-")]);
        let committed = storage.commit(&mut locked.lock, record(&storage, "two", None)).await;
        allow(&server, &all);
        let stands = payload(&storage, &key).await;
        match committed {
            Ok(()) => assert_eq!(stands, Lookup::Found("two".into()), "without {right}"),
            Err(error) => {
                assert_eq!(error.kind(), StorageErrorKind::Denied, "without {right}: {error:?}");
                assert_eq!(stands, Lookup::Found("one".into()), "without {right}");
                storage
                    .commit(&mut locked.lock, record(&storage, "two", None))
                    .await
                    .unwrap();
            }
        }
        let free = storage.lock(&key, MINUTE).await.unwrap().found().unwrap();
        storage.release(free.lock).await.unwrap();
    }
}
