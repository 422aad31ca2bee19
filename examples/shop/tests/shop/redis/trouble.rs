//! A server that is frozen, or gone: an answer that says so, and back by itself.

use std::time::{Duration, Instant};

use sessile_testkit::redis::RedisServer;

use super::shop_with;
use crate::support::{Answer, Request, Server, until};

/// Far longer than the shop is told to wait for the server, far shorter than it waits for locks.
const IN_TIME: Duration = Duration::from_secs(30);

/// Readers, writers, newcomers and leavers are told to come again, and are told in time.
async fn all_are_told(shop: &Server, id: &str) {
    for request in [
        Request::get("/me").id(id),
        Request::post("/count").id(id),
        Request::post("/login").json(r#"{"user":"eve"}"#),
        Request::post("/logout").id(id),
    ] {
        let start = Instant::now();
        let answer: Answer = shop.ask(request).await;
        assert!(start.elapsed() < IN_TIME, "{:?}", start.elapsed());
        assert_eq!((answer.status, answer.new_id()), (503, None), "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
    }
    // Who leaves the session alone notices nothing.
    assert_eq!(shop.ask(Request::get("/plain").id(id)).await.status, 200);
}

#[tokio::test]
async fn a_frozen_server_is_an_answer_in_time_and_the_shop_recovers() {
    let redis = RedisServer::start();
    let shop = shop_with(&redis.url(), &["--storage-timeout", "0.5", "--lock-wait", "100"]);
    let id = shop.log_in("ada").await;
    redis.pause();
    all_are_told(&shop, &id).await;
    redis.resume();
    until("the shop is back", async || {
        shop.ask(Request::get("/plain")).await.status == 200 && shop.ask(Request::post("/count")).await.status == 200
    })
    .await;
    // Whether the logout that was not answered has been done nobody knows; that the session can be asked for is certain.
    assert_eq!(shop.ask(Request::get("/me").id(&id)).await.status, 200);
}

#[tokio::test]
async fn a_slow_server_is_waited_for_as_long_as_was_said() {
    let redis = RedisServer::start();
    let shop = shop_with(&redis.url(), &["--storage-timeout", "100", "--lock-wait", "100"]);
    let id = shop.log_in("ada").await;
    redis.pause();
    let slow = async {
        // Longer than the two seconds that are usual.
        tokio::time::sleep(Duration::from_secs(3)).await;
        redis.resume();
    };
    let (answer, ()) = tokio::join!(shop.ask(Request::get("/me").id(&id)), slow);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["user"], "ada");
}

#[tokio::test]
async fn whoever_runs_the_shop_is_told_which_server_is_gone_once_a_request() {
    let mut redis = RedisServer::start();
    redis.command(&["CONFIG", "SET", "requirepass", "hidden"]);
    let place = format!("127.0.0.1:{}", redis.port());
    let url = format!("redis://:hidden@{place}");
    let shop = Server::start_logging("error", &["--storage", &url, "--storage-timeout", "2"]);
    let id = shop.log_in("ada").await;
    redis.kill();
    for request in [Request::get("/me"), Request::post("/count"), Request::post("/fifty")] {
        assert_eq!(shop.ask(request.id(&id)).await.status, 503);
    }
    let printed = shop.into_printed();
    let told: Vec<_> = printed.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(told.len(), 3, "{printed}");
    for line in told {
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
async fn a_server_that_is_gone_is_an_answer_and_its_sessions_come_back_with_it() {
    let mut redis = RedisServer::start_with(&["appendonly yes", "appendfsync always"]);
    let shop = shop_with(&redis.url(), &["--storage-timeout", "2", "--lock-wait", "100"]);
    let id = shop.log_in("ada").await;
    assert_eq!(shop.ask(Request::post("/count").id(&id)).await.count(), 1);
    redis.kill();
    all_are_told(&shop, &id).await;
    redis.restart();
    until("the shop is back", async || {
        shop.ask(Request::get("/me").id(&id)).await.status == 200
    })
    .await;
    assert_eq!(shop.ask(Request::get("/me").id(&id)).await.json()["user"], "ada");
    // Nobody reached the server, so nothing was done: not the logout either.
    assert_eq!(shop.ask(Request::post("/count").id(&id)).await.count(), 2);
}
