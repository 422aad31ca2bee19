//! A shop that cannot reach its server does not start, and says why.

use std::net::TcpListener;

use sessile_testkit::redis::{RedisSentinel, RedisServer};

use crate::support::Server;

/// What the shop says about this storage. No password is among it.
async fn refused(storage: &str) -> String {
    let said = Server::refused(&["--storage", storage, "--storage-timeout", "1"]).await;
    assert!(said.starts_with("error: "), "{said}");
    assert!(!said.contains("hidden"), "{said}");
    said
}

/// What it says about this storage when the URL could be one, without the line of help.
async fn failed(storage: &str, place: &str, help: &str) -> String {
    let said = refused(storage).await;
    let (error, helped) = said.split_once("\nhelp: ").expect(&said);
    let named = format!("error: cannot keep sessions in Redis at {place}: ");
    assert!(error.starts_with(&named), "{place}: {said}");
    assert!(error.matches("os error").count() <= 1, "{said}");
    assert!(helped.contains(help), "{said}");
    error.to_owned()
}

#[tokio::test]
async fn a_url_that_is_wrong_is_refused() {
    for (url, reason) in [
        ("redis:hidden", "a URL has ://"),
        ("redis://", "the host or the path is missing"),
        ("redis-sentinel://:hidden@127.0.0.1:1", "the name of the primary"),
        ("redis-cluster://:hidden@,127.0.0.1:1", "a host is missing"),
        ("http://127.0.0.1", "redis-cluster://"),
    ] {
        let said = refused(url).await;
        assert!(said.contains(reason), "{url}: {said}");
    }
    let said = failed("redis://:hidden@127.0.0.1:many", "redis://127.0.0.1:many", "--help").await;
    assert!(said.contains("redis: connect"), "{said}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_missing() {
    // A port on which nobody listens as long as it is taken but not listened on.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a free port");
    let address = socket.local_addr().expect("an address");
    for url in [
        format!("redis://{address}"),
        format!("redis-sentinel://{address}/primary"),
        format!("redis-cluster://{address}"),
        "redis+unix:///nowhere/at/all".to_owned(),
    ] {
        let with_login = url.replace("://127", "://user:hidden@127");
        let said = failed(&with_login, &url, "start Redis there").await;
        assert!(
            said.contains("redis: connect: the storage cannot be reached"),
            "{url}: {said}"
        );
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    // The system takes connections for it; nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("an address");
    for url in [
        format!("redis://{address}"),
        format!("redis-sentinel://{address}/primary"),
        format!("redis-cluster://{address}"),
    ] {
        let said = failed(&url, &url, "start Redis there").await;
        assert!(
            said.contains("redis: connect: the storage did not answer in time"),
            "{url}: {said}"
        );
    }
}

#[tokio::test]
async fn a_password_that_is_wrong_is_refused() {
    let redis = RedisServer::start();
    redis.command(&["CONFIG", "SET", "requirepass", "secret"]);
    let place = format!("127.0.0.1:{}", redis.port());
    let url = format!("redis://:hidden@{place}");
    let said = failed(&url, &format!("redis://{place}"), "check the user and the password").await;
    assert!(said.contains("redis: connect: the storage refuses access"), "{said}");
}

#[tokio::test]
async fn a_name_that_no_sentinel_knows_is_refused() {
    let redis = RedisSentinel::start();
    let urls = redis.urls();
    let said = refused(&format!(
        "redis-sentinel{}/another",
        urls[0].trim_start_matches("redis")
    ))
    .await;
    assert!(said.contains("the sentinels know no primary of this name"), "{said}");
}

#[tokio::test]
async fn a_server_that_is_no_cluster_is_refused_as_one() {
    let redis = RedisServer::start();
    let url = format!("redis-cluster://127.0.0.1:{}", redis.port());
    let said = failed(&url, &url, "check the URL").await;
    assert!(said.contains("cluster support disabled"), "{said}");
}
