//! Expiration of sessions and carts.

use std::time::Duration;

use serde_json::json;

use crate::support::{Request, Server, until};

#[tokio::test]
async fn a_session_without_visits_expires() {
    let shop = Server::start(&["--idle", "0.5"]);
    let id = shop.log_in("ada").await;
    tokio::time::sleep(Duration::from_millis(501)).await;
    let me = shop.send(Request::get("/me").id(&id)).await;
    assert_eq!(me.json(), json!({"user": null}));
    // The cookie is not removed: a late response could remove the cookie of a newer login.
    assert_eq!(me.header("set-cookie"), None);
}

#[tokio::test]
async fn a_cart_can_end_before_its_session() {
    let shop = Server::start(&["--cart-ttl", "0.5"]);
    let id = shop.log_in("ada").await;
    let add = shop
        .send(Request::post("/cart").json(r#"{"item":"tea"}"#).id(&id))
        .await;
    assert_eq!(add.status, 200);
    until("the cart is empty", async || {
        shop.send(Request::get("/cart").id(&id)).await.json() == json!({"items": []})
    })
    .await;
    assert_eq!(
        shop.send(Request::get("/me").id(&id)).await.json(),
        json!({"user": "ada"})
    );
    let add = shop
        .send(Request::post("/cart").json(r#"{"item":"cup"}"#).id(&id))
        .await;
    assert_eq!(add.json(), json!({"items": ["cup"]}), "a new cart begins");
}
