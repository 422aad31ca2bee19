//! A shop that cannot reach its server does not start, and names the cause.

use std::net::TcpListener;

use sessile_lab::redis::{RedisSentinel, RedisServer};

use crate::support::Server;

/// Returns the error message for this storage. It contains no password.
async fn start_error(storage: &str) -> String {
    let message = Server::start_error(&["--storage", storage, "--storage-timeout", "1"]).await;
    assert!(message.starts_with("error: "), "{message}");
    assert!(!message.contains("hidden"), "{message}");
    message
}

/// Returns the error message for this storage with a valid URL, without the line of help.
async fn start_error_at(storage: &str, place: &str, help: &str) -> String {
    let message = start_error(storage).await;
    let (error, helped) = message.split_once("\nhelp: ").expect(&message);
    let named = format!("error: cannot keep sessions in Redis at {place}: ");
    assert!(error.starts_with(&named), "{place}: {message}");
    assert!(error.matches("os error").count() <= 1, "{message}");
    assert!(helped.contains(help), "{message}");
    error.to_owned()
}

#[tokio::test]
async fn an_invalid_url_is_refused() {
    for (url, reason) in [
        ("redis:hidden", "a URL has ://"),
        ("redis://", "the host or the path is missing"),
        ("redis-sentinel://:hidden@127.0.0.1:1", "the name of the primary"),
        ("redis-cluster://:hidden@,127.0.0.1:1", "a host is missing"),
        ("http://127.0.0.1", "redis-cluster://"),
    ] {
        let message = start_error(url).await;
        assert!(message.contains(reason), "{url}: {message}");
    }
    let message = start_error_at("redis://:hidden@127.0.0.1:many", "redis://127.0.0.1:many", "--help").await;
    assert!(message.contains("redis: connect"), "{message}");
}

#[tokio::test]
async fn a_missing_server_is_reported() {
    // Connections to a port that is bound without a listener are refused.
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
        let message = start_error_at(&with_login, &url, "start Redis there").await;
        assert!(
            message.contains("redis: connect: the storage cannot be reached"),
            "{url}: {message}"
        );
    }
}

#[tokio::test]
async fn a_silent_server_times_out() {
    // The system accepts connections, but no process replies.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("an address");
    for url in [
        format!("redis://{address}"),
        format!("redis-sentinel://{address}/primary"),
        format!("redis-cluster://{address}"),
    ] {
        let message = start_error_at(&url, &url, "start Redis there").await;
        assert!(
            message.contains("redis: connect: the storage timed out"),
            "{url}: {message}"
        );
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let redis = RedisServer::start();
    redis.command(&["CONFIG", "SET", "requirepass", "secret"]);
    let place = format!("127.0.0.1:{}", redis.port());
    let url = format!("redis://:hidden@{place}");
    let message = start_error_at(&url, &format!("redis://{place}"), "check the user and the password").await;
    assert!(
        message.contains("redis: connect: the storage refuses access"),
        "{message}"
    );
}

#[tokio::test]
async fn an_unknown_sentinel_name_is_refused() {
    let redis = RedisSentinel::start();
    let urls = redis.urls();
    let message = start_error(&format!(
        "redis-sentinel{}/another",
        urls[0].trim_start_matches("redis")
    ))
    .await;
    assert!(
        message.contains("the sentinels know no primary of this name"),
        "{message}"
    );
}

#[tokio::test]
async fn a_single_server_is_refused_as_a_cluster() {
    let redis = RedisServer::start();
    let url = format!("redis-cluster://127.0.0.1:{}", redis.port());
    let message = start_error_at(&url, &url, "check the URL").await;
    assert!(message.contains("cluster support disabled"), "{message}");
}
