//! An invalid request gets an error in JSON and changes nothing.

use crate::support::{Request, Server};

#[tokio::test]
async fn an_invalid_request_is_refused_and_changes_nothing() {
    let shop = Server::start(&[]);
    let id = shop.log_in("ada").await;
    let login = |json: &str| Request::post("/login").json(json);
    let cart = |json: &str| Request::post("/cart").json(json);
    let long = "x".repeat(1_000);
    let table = [
        // Bodies.
        (400, login("")),
        (400, login("{")),
        (400, login("null")),
        (400, login("[]")),
        (400, login("{}")),
        (400, login(r#"{"user":null}"#)),
        (400, login(r#"{"user":7}"#)),
        (400, login(r#"{"user":""}"#)),
        (400, login(r#"{"user":"  "}"#)),
        (400, login(r#"{"user":"a\nb"}"#)),
        (400, login(r#"{"user":"\ud800"}"#)),
        (400, login(&format!(r#"{{"user":"{long}"}}"#))),
        (400, login(&format!(r#"{{"user":"{}"}}"#, "🦀".repeat(64)))),
        (400, login(r#"{"user":"eve"} "#).body(r#"{"user":"eve"}{"user":"eve"}"#)),
        (400, Request::post("/login")),
        (400, Request::post("/login").body(r#"{"user":"eve"}"#)),
        (
            400,
            Request::post("/login")
                .header("content-type", "text/plain")
                .body(r#"{"user":"eve"}"#),
        ),
        (
            400,
            Request::post("/login")
                .header("content-type", "application/x-www-form-urlencoded")
                .body("user=eve"),
        ),
        (413, login(&format!(r#"{{"user":"{}"}}"#, "x".repeat(100_000)))),
        (400, cart("")),
        (400, cart("{}")),
        (400, cart(r#"{"item":""}"#)),
        (400, cart(r#"{"item":["tea"]}"#)),
        (400, cart(&format!(r#"{{"item":"{long}"}}"#))),
        (400, Request::post("/cart").body(r#"{"item":"tea"}"#)),
        // Queries.
        (400, Request::post("/slow")),
        (400, Request::post("/slow?ms=")),
        (400, Request::post("/slow?ms=-1")),
        (400, Request::post("/slow?ms=1.5")),
        (400, Request::post("/slow?ms=soon")),
        (400, Request::post("/slow?ms=1&ms=2")),
        (400, Request::post("/slow?ms=60001")),
        (400, Request::post("/slow?ms=99999999999999999999")),
        (400, Request::post("/read-then-write")),
        (400, Request::post("/read-then-write?ms=-1")),
        (400, Request::post("/read-then-write?ms=60001")),
        (400, Request::post("/fail")),
        (400, Request::post("/fail?how=")),
        (400, Request::post("/fail?how=404")),
        // Paths and methods.
        (400, Request::new("DELETE", "/sessions/%ff")),
        (404, Request::new("DELETE", "/sessions/")),
        (405, Request::new("DELETE", "/sessions")),
        (405, Request::get("/sessions/nonsense")),
        (404, Request::get("/nowhere")),
        (404, Request::post("/nowhere")),
        (404, Request::get("/me/")),
        (404, Request::get("/../etc/passwd")),
        (405, Request::get("/login")),
        (405, Request::get("/logout")),
        (405, Request::get("/slow?ms=1")),
        (405, Request::get("/fail?how=500")),
        (405, Request::post("/me")),
        (405, Request::post("/plain")),
        (405, Request::new("DELETE", "/count")),
        (405, Request::new("PUT", "/cart")),
    ];
    for (status, request) in table {
        let response = shop.send(request.clone().id(&id)).await;
        assert_eq!(response.status, status, "{request:?}: {response:?}");
        let error = response.json()["error"]
            .as_str()
            .expect("the response has a reason")
            .to_owned();
        assert!(!error.is_empty(), "{request:?}");
        assert_eq!(response.header("set-cookie"), None, "{request:?}");
        assert_eq!(response.header("allow").is_some(), status == 405, "{request:?}");
    }
    assert_eq!(shop.count(&id).await, 0);
    let me = shop.send(Request::get("/me").id(&id)).await;
    assert_eq!(me.json()["user"], "ada");
    let cart = shop.send(Request::get("/cart").id(&id)).await;
    assert_eq!(cart.json()["items"], serde_json::json!([]));
}

#[tokio::test]
async fn the_longest_names_fit_and_count_in_characters() {
    let shop = Server::start(&[]);
    let user = "ö".repeat(64);
    let id = shop.log_in(&user).await;
    assert_eq!(shop.send(Request::get("/me").id(&id)).await.json()["user"], user);
    let item = "茶".repeat(100);
    let cart = Request::post("/cart").json(&format!(r#"{{"item":"{item}"}}"#)).id(&id);
    assert_eq!(shop.send(cart).await.json()["items"][0], item);
}

#[tokio::test]
async fn a_cart_holds_a_thousand_things() {
    let shop = Server::start(&[]);
    let id = shop.log_in("ada").await;
    let mut connection = shop.connect().await;
    let add = Request::post("/cart").json(r#"{"item":"x"}"#).id(&id);
    for _ in 0..1_000 {
        assert_eq!(connection.send(&add).await.status, 200);
    }
    let response = connection.send(&add).await;
    assert_eq!(response.status, 400);
    assert_eq!(response.json()["error"], "the cart is full");
}

#[tokio::test]
async fn a_cookie_that_cannot_be_an_id_counts_as_none() {
    let shop = Server::start(&[]);
    let long = "x".repeat(129);
    for id in [
        "",
        "short",
        "with space in the middle of it",
        "\"quoted-quoted-quoted\"",
        "../../../../../../etc",
        &long,
    ] {
        let me = shop.send(Request::get("/me").id(id)).await;
        assert_eq!((me.status, me.json()["user"].is_null()), (200, true), "{id}");
        let count = shop.send(Request::post("/count").id(id)).await;
        assert_eq!((count.status, count.count()), (200, 1), "{id}");
        assert_ne!(count.new_id().expect("a session has begun"), id);
    }
}
