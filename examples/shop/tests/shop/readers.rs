//! Readers do not wait for writers.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Request, Server};

#[tokio::test]
async fn readers_are_served_while_a_writer_holds_the_lock_for_ten_seconds() {
    let shop = Arc::new(Server::start(&["--lock-wait", "0.1", "--lock-lease", "300"]));
    let id = shop.log_in("ada").await;
    let (slow, its_id) = (Arc::clone(&shop), id.clone());
    let writer = tokio::spawn(async move { slow.send(Request::post("/slow?ms=10000").id(&its_id)).await });
    shop.until_locked(&id).await;
    let before = shop.count(&id).await;

    let mut readers = JoinSet::new();
    for path in ["/me", "/count", "/cart", "/sessions", "/", "/plain"]
        .into_iter()
        .cycle()
        .take(100)
    {
        let (shop, id) = (Arc::clone(&shop), id.clone());
        readers.spawn(async move { (path, shop.send(Request::get(path).id(&id)).await) });
    }
    while let Some(read) = readers.join_next().await {
        let (path, response) = read.expect("the reader gets a response");
        assert_eq!(response.status, 200, "{path}");
        match path {
            "/me" => assert_eq!(response.json(), json!({"user": "ada"})),
            "/count" => assert_eq!(response.count(), before, "uncommitted changes are not visible"),
            _ => {}
        }
    }
    assert!(!writer.is_finished(), "all have read before the writer was done");
    let busy = shop.send(Request::post("/count").id(&id)).await;
    assert_eq!(
        (busy.status, busy.header("retry-after")),
        (503, Some("1")),
        "it still holds the lock"
    );

    let response = writer.await.expect("the writer gets a response");
    assert_eq!((response.status, response.count()), (200, before + 1));
    assert_eq!(shop.count(&id).await, before + 1);
}

#[tokio::test]
async fn a_client_that_goes_away_frees_the_lock() {
    // The lease is too long to release the lock.
    let shop = Server::start(&["--lock-wait", "0.1", "--lock-lease", "300"]);
    let id = shop.log_in("ada").await;
    for _ in 0..10 {
        let mut holder = shop.connect().await;
        holder
            .send_bytes(&Request::post("/slow?ms=60000").id(&id).to_bytes())
            .await;
        shop.until_locked(&id).await;
        let before = shop.count(&id).await;
        drop(holder);
        let add = Request::post("/count").id(&id);
        crate::support::until("unlocked", async || shop.send(add.clone()).await.status == 200).await;
        assert_eq!(
            shop.count(&id).await,
            before + 1,
            "an interrupted request is not counted"
        );
    }
}
