//! The shop stops when it is told to, and finishes what it has begun.

#![cfg(unix)]

use std::sync::Arc;

use crate::support::{Request, Server};

#[tokio::test]
async fn requests_in_flight_are_finished() {
    let mut shop = Server::start(&["--lock-wait", "0.1"]);
    let id = shop.log_in("ada").await;
    // Connections on which nothing happens, or not enough, hold up nobody.
    let mut idle = shop.connect().await;
    idle.ask(&Request::get("/plain")).await;
    let _silent = shop.connect().await;

    let slow = Arc::new(Request::post("/slow?ms=1500").id(&id));
    let mut connection = shop.connect().await;
    let request = tokio::spawn(async move { connection.ask(&slow).await });
    shop.until_locked(&id).await;
    shop.terminate();
    let answer = request.await.expect("an answer");
    assert_eq!(answer.status, 200);
    assert!(answer.count() > 0);
    assert!(shop.stopped().await.success());
}

#[tokio::test]
async fn a_shop_with_nothing_to_do_stops() {
    let mut shop = Server::start(&[]);
    shop.log_in("ada").await;
    shop.terminate();
    assert!(shop.stopped().await.success());
}
