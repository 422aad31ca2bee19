//! On a signal, the shop finishes its requests and stops.

#![cfg(unix)]

use std::sync::Arc;

use crate::support::{Request, Server};

#[tokio::test]
async fn requests_in_flight_are_finished() {
    let mut shop = Server::start(&["--lock-wait", "0.1"]);
    let id = shop.log_in("ada").await;
    // Idle connections and incomplete requests do not delay the shutdown.
    let mut idle = shop.connect().await;
    idle.send(&Request::get("/plain")).await;
    let _silent = shop.connect().await;

    let slow = Arc::new(Request::post("/slow?ms=1500").id(&id));
    let mut connection = shop.connect().await;
    let request = tokio::spawn(async move { connection.send(&slow).await });
    shop.until_locked(&id).await;
    shop.terminate();
    let response = request.await.expect("a response");
    assert_eq!(response.status, 200);
    assert!(response.count() > 0);
    assert!(shop.stopped().await.success());
}

#[tokio::test]
async fn a_shop_with_nothing_to_do_stops() {
    let mut shop = Server::start(&[]);
    shop.log_in("ada").await;
    shop.terminate();
    assert!(shop.stopped().await.success());
}
