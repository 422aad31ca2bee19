//! A frozen or stopped server: the shop reports it in time, and recovers by itself.

use std::time::{Duration, Instant};

use sessile_lab::redis::RedisServer;

use super::shop_with;
use crate::support::{Request, Response, Server, until};

/// Much longer than the shop's time limit for the server, and much shorter than its limit for locks.
const IN_TIME: Duration = Duration::from_secs(30);

/// Asserts that reads, writes, logins and logouts get a retryable error in time.
async fn assert_all_unavailable(shop: &Server, id: &str) {
    for request in [
        Request::get("/me").id(id),
        Request::post("/count").id(id),
        Request::post("/login").json(r#"{"user":"eve"}"#),
        Request::post("/logout").id(id),
    ] {
        let start = Instant::now();
        let response: Response = shop.send(request).await;
        assert!(start.elapsed() < IN_TIME, "{:?}", start.elapsed());
        assert_eq!((response.status, response.new_id()), (503, None), "{response:?}");
        assert_eq!(response.header("retry-after"), Some("1"), "{response:?}");
    }
    // A request that does not use the session is not affected.
    assert_eq!(shop.send(Request::get("/plain").id(id)).await.status, 200);
}

#[tokio::test]
async fn a_frozen_server_is_reported_in_time_and_the_shop_recovers() {
    let redis = RedisServer::start();
    let shop = shop_with(&redis.url(), &["--storage-timeout", "0.5", "--lock-wait", "100"]);
    let id = shop.log_in("ada").await;
    redis.pause();
    assert_all_unavailable(&shop, &id).await;
    redis.resume();
    until("the shop is back", async || {
        shop.send(Request::get("/plain")).await.status == 200 && shop.send(Request::post("/count")).await.status == 200
    })
    .await;
    // The outcome of the logout without a response is ambiguous, but the session can be read.
    assert_eq!(shop.send(Request::get("/me").id(&id)).await.status, 200);
}

#[tokio::test]
async fn a_slow_server_is_awaited_for_the_configured_time() {
    let redis = RedisServer::start();
    let shop = shop_with(&redis.url(), &["--storage-timeout", "100", "--lock-wait", "100"]);
    let id = shop.log_in("ada").await;
    redis.pause();
    let slow = async {
        // Longer than the default of two seconds.
        tokio::time::sleep(Duration::from_secs(3)).await;
        redis.resume();
    };
    let (response, ()) = tokio::join!(shop.send(Request::get("/me").id(&id)), slow);
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.json()["user"], "ada");
}

#[tokio::test]
async fn the_log_names_the_unreachable_server_once_per_request() {
    let mut redis = RedisServer::start();
    redis.command(&["CONFIG", "SET", "requirepass", "hidden"]);
    let place = format!("127.0.0.1:{}", redis.port());
    let url = format!("redis://:hidden@{place}");
    let shop = Server::start_logging("error", &["--storage", &url, "--storage-timeout", "2"]);
    let id = shop.log_in("ada").await;
    redis.kill();
    for request in [Request::get("/me"), Request::post("/count"), Request::post("/fifty")] {
        assert_eq!(shop.send(request.id(&id)).await.status, 503);
    }
    let printed = shop.into_printed();
    let reported: Vec<_> = printed.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(reported.len(), 3, "{printed}");
    for line in reported {
        assert!(
            line.contains(&format!("sessions in Redis at redis://{place}: ")),
            "{line}"
        );
        assert!(
            line.matches("os error").count() <= 1 && !line.contains("hidden"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_stopped_server_is_reported_and_its_sessions_return_with_it() {
    let mut redis = RedisServer::start_with(&["appendonly yes", "appendfsync always"]);
    let shop = shop_with(&redis.url(), &["--storage-timeout", "2", "--lock-wait", "100"]);
    let id = shop.log_in("ada").await;
    assert_eq!(shop.send(Request::post("/count").id(&id)).await.count(), 1);
    redis.kill();
    assert_all_unavailable(&shop, &id).await;
    redis.restart();
    until("the shop is back", async || {
        shop.send(Request::get("/me").id(&id)).await.status == 200
    })
    .await;
    assert_eq!(shop.send(Request::get("/me").id(&id)).await.json()["user"], "ada");
    // No request reached the server, so nothing was done, not even the logout.
    assert_eq!(shop.send(Request::post("/count").id(&id)).await.count(), 2);
}
