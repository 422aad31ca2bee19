//! Access to a server: passwords, users, databases, sockets, prefixes.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::time::Duration;

use sessile_core::{Lookup, Storage, StorageError, StorageErrorKind};
use sessile_lab::redis::RedisServer;
use sessile_redis::{RedisServers, RedisStorage};
use support::{allow, fresh, payload, permissions, record};

const MINUTE: Duration = Duration::from_secs(60);

/// Uses everything that a session needs, including the hand-over of its lock.
async fn works(one: &RedisStorage, two: &RedisStorage) {
    let key = fresh();
    one.create(&key, record(one, "one", Some(MINUTE))).await.unwrap();
    let mut locked = one.lock(&key, MINUTE).await.unwrap().found().unwrap();
    let waiting = async {
        let locked = two.lock(&key, MINUTE).await.unwrap().found().unwrap();
        assert_eq!(locked.record.payload, "two");
        two.release(locked.lock).await.unwrap();
    };
    let commit = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        one.commit(&mut locked.lock, record(one, "two", Some(MINUTE)))
            .await
            .unwrap();
    };
    tokio::join!(waiting, commit);
    assert_eq!(payload(one, &key).await, Lookup::Found("two".into()));
    assert_eq!(one.scan(None, 10).await.unwrap().sessions.len(), 1);
    assert_eq!(one.destroy(&key).await.unwrap(), Lookup::Found(()));
}

fn kind<T: std::fmt::Debug>(outcome: Result<T, StorageError>) -> StorageErrorKind {
    outcome.unwrap_err().kind()
}

#[tokio::test]
async fn a_password_is_needed_where_one_is_set() {
    let server = RedisServer::start_with(&["requirepass secret"]);
    let with = format!("redis://:secret@127.0.0.1:{}", server.port());
    let (one, two) = (
        RedisStorage::connect(with.as_str()).await.unwrap(),
        RedisStorage::connect(with.as_str()).await.unwrap(),
    );
    works(&one, &two).await;
    let told = RedisStorage::builder(RedisServers::single(server.url()).password("secret"))
        .connect()
        .await
        .unwrap();
    works(&told, &one).await;
    assert_eq!(
        kind(RedisStorage::connect(server.url()).await),
        StorageErrorKind::Denied
    );
    let wrong = RedisStorage::builder(RedisServers::single(server.url()).password("wrong"))
        .connect()
        .await;
    assert_eq!(kind(wrong), StorageErrorKind::Denied);
}

#[tokio::test]
async fn a_user_needs_no_more_permissions_than_documented() {
    let server = RedisServer::start();
    allow(&server, &permissions());
    let connect = || {
        RedisStorage::builder(
            RedisServers::single(server.url())
                .username("sessions")
                .password("secret"),
        )
        .connect()
    };
    let (one, two) = (connect().await.unwrap(), connect().await.unwrap());
    works(&one, &two).await;
    assert_eq!(one.check().await.unwrap(), []);

    let other = RedisStorage::builder(
        RedisServers::single(server.url())
            .username("sessions")
            .password("secret"),
    )
    .prefix("other:");
    // Connecting fails, not the first session.
    assert_eq!(kind(other.connect().await), StorageErrorKind::Denied);
}

#[tokio::test]
async fn a_user_that_may_not_publish_commits_all_the_same() {
    let server = RedisServer::start();
    server.command(&[
        "ACL",
        "SETUSER",
        "mute",
        "on",
        ">secret",
        "~*",
        "&*",
        "+@all",
        "-spublish",
    ]);
    let connect = || RedisStorage::builder(RedisServers::single(server.url()).username("mute").password("secret"));
    let short = Duration::from_millis(100);
    let (one, two) = (
        connect().poll(short).connect().await.unwrap(),
        connect().poll(short).connect().await.unwrap(),
    );
    works(&one, &two).await;
}

#[tokio::test]
async fn a_user_that_may_not_call_info_accepts_the_server() {
    let server = RedisServer::start();
    server.command(&["ACL", "SETUSER", "shy", "on", ">secret", "~*", "&*", "+@all", "-info"]);
    let shy = RedisServers::single(server.url()).username("shy").password("secret");
    let storage = RedisStorage::connect(shy).await.unwrap();
    let key = fresh();
    storage.create(&key, record(&storage, "x", None)).await.unwrap();
    assert_eq!(payload(&storage, &key).await, Lookup::Found("x".into()));
}

#[tokio::test]
async fn a_user_that_may_not_subscribe_polls() {
    let server = RedisServer::start();
    server.command(&[
        "ACL",
        "SETUSER",
        "deaf",
        "on",
        ">secret",
        "~*",
        "&*",
        "+@all",
        "-ssubscribe",
    ]);
    let connect =
        || RedisStorage::builder(RedisServers::single(server.url()).username("deaf").password("secret")).connect();
    works(&connect().await.unwrap(), &connect().await.unwrap()).await;
}

#[tokio::test]
async fn databases_are_apart() {
    let server = RedisServer::start();
    let of_url = format!("{}/3", server.url());
    let (one, two) = (
        RedisStorage::connect(of_url.as_str()).await.unwrap(),
        RedisStorage::connect(of_url.as_str()).await.unwrap(),
    );
    works(&one, &two).await;
    let key = fresh();
    one.create(&key, record(&one, "x", None)).await.unwrap();
    let told = RedisStorage::builder(RedisServers::single(server.url()).database(3))
        .connect()
        .await
        .unwrap();
    assert!(told.read(&key).await.unwrap().is_found());
    let zero = RedisStorage::connect(server.url()).await.unwrap();
    assert_eq!(zero.read(&key).await.unwrap(), Lookup::Missing);
}

#[tokio::test]
async fn prefixes_are_apart() {
    let server = RedisServer::start();
    let connect = |prefix: &str| RedisStorage::builder(server.url()).prefix(prefix).connect();
    let (one, same, other) = (
        connect("a:").await.unwrap(),
        connect("a:").await.unwrap(),
        connect("b:").await.unwrap(),
    );
    works(&one, &same).await;
    let key = fresh();
    one.create(&key, record(&one, "x", None)).await.unwrap();
    assert_eq!(other.read(&key).await.unwrap(), Lookup::Missing);
    assert_eq!(other.destroy(&key).await.unwrap(), Lookup::Missing);
    assert!(same.read(&key).await.unwrap().is_found());
}

#[tokio::test]
async fn a_unix_socket_will_do() {
    let server = RedisServer::start();
    let url = format!("redis+unix://{}", server.socket().display());
    works(
        &RedisStorage::connect(url.as_str()).await.unwrap(),
        &RedisStorage::connect(url.as_str()).await.unwrap(),
    )
    .await;
}
