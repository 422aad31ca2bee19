//! The effect and the response of each request.

use serde_json::json;

use crate::support::{Request, Server};

#[tokio::test]
async fn a_login_is_remembered_until_the_logout() {
    let shop = Server::start(&[]);
    let id = shop.log_in("ada").await;
    let me = Request::get("/me").id(&id);
    assert_eq!(shop.send(me.clone()).await.json(), json!({"user": "ada"}));

    let logout = shop.send(Request::post("/logout").id(&id)).await;
    assert_eq!((logout.status, logout.body.as_str()), (204, ""));
    assert_eq!(logout.new_id(), None);
    assert!(
        logout
            .header("set-cookie")
            .expect("the cookie is removed")
            .contains("Max-Age=0")
    );
    assert_eq!(shop.send(me).await.json(), json!({"user": null}));
}

#[tokio::test]
async fn a_login_answers_with_the_user() {
    let shop = Server::start(&[]);
    let response = shop.send(Request::post("/login").json(r#"{"user":"Ada Löwe"}"#)).await;
    assert_eq!((response.status, response.json()), (200, json!({"user": "Ada Löwe"})));
    assert_eq!(response.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn the_counter_counts() {
    let shop = Server::start(&[]);
    let first = shop.send(Request::post("/count")).await;
    assert_eq!((first.status, first.json()), (200, json!({"count": 1})));
    let id = first.new_id().expect("the session has begun");
    let second = shop.send(Request::post("/count").id(&id)).await;
    assert_eq!(second.json(), json!({"count": 2}));
    let shown = shop.send(Request::get("/count").id(&id)).await;
    assert_eq!((shown.status, shown.json()), (200, json!({"count": 2})));
    let slow = shop.send(Request::post("/slow?ms=0").id(&id)).await;
    assert_eq!((slow.status, slow.json()), (200, json!({"count": 3})));
}

#[tokio::test]
async fn fifty_parallel_requests_count_fifty_with_locks_and_fewer_without() {
    let shop = Server::start(&[]);
    let first = shop.send(Request::post("/fifty")).await;
    assert_eq!(first.status, 200, "{first:?}");
    let id = first.new_id().expect("the session has begun");
    let second = shop.send(Request::post("/fifty").id(&id)).await;
    for (before, response) in [(0, first), (50, second)] {
        let counters = response.json();
        assert_eq!(counters["before"], before, "{counters}");
        assert_eq!(counters["with_locks"], before + 50, "{counters}");
        let without = counters["without_locks"].as_u64().expect("a number");
        assert!((before + 1..before + 50).contains(&without), "{counters}");
    }
    assert_eq!(shop.count(&id).await, 100);
}

#[tokio::test]
async fn the_cart_keeps_its_order() {
    let shop = Server::start(&[]);
    let first = shop.send(Request::post("/cart").json(r#"{"item":"tea"}"#)).await;
    assert_eq!((first.status, first.json()), (200, json!({"items": ["tea"]})));
    let id = first.new_id().expect("the session has begun");
    let second = shop
        .send(Request::post("/cart").json(r#"{"item":"a <b>cup</b>"}"#).id(&id))
        .await;
    assert_eq!(second.json(), json!({"items": ["tea", "a <b>cup</b>"]}));
    let shown = shop.send(Request::get("/cart").id(&id)).await;
    assert_eq!(
        (shown.status, shown.json()),
        (200, json!({"items": ["tea", "a <b>cup</b>"]}))
    );
}

#[tokio::test]
async fn a_failed_request_changes_nothing() {
    let shop = Server::start(&[]);
    let id = shop.log_in("ada").await;
    shop.send(Request::post("/count").id(&id)).await;
    for path in ["/fail?how=500", "/fail?how=panic"] {
        let response = shop.send(Request::post(path).id(&id)).await;
        assert_eq!(response.status, 500, "{path}");
        assert!(response.json()["error"].is_string(), "{path}");
        assert_eq!(shop.count(&id).await, 1, "{path}");
    }
    let response = shop.send(Request::post("/fail?how=500")).await;
    assert_eq!(
        (response.status, response.new_id()),
        (500, None),
        "no session begins this way"
    );
}

#[tokio::test]
async fn a_late_write_succeeds_if_the_session_is_still_there() {
    let shop = Server::start(&[]);
    let id = shop.log_in("ada").await;
    let response = shop.send(Request::post("/read-then-write?ms=0").id(&id)).await;
    assert_eq!((response.status, response.json()), (200, json!({"user": "late"})));
    assert_eq!(
        shop.send(Request::get("/me").id(&id)).await.json(),
        json!({"user": "late"})
    );
}

#[tokio::test]
async fn a_request_that_does_not_use_its_session_sends_no_session_headers() {
    let shop = Server::start(&[]);
    let id = shop.log_in("ada").await;
    for request in [
        Request::get("/plain"),
        Request::get("/plain").id(&id),
        Request::get("/plain").id("an-id-that-no-session-has"),
    ] {
        let response = shop.send(request).await;
        assert_eq!((response.status, response.body.as_str()), (200, "ok"));
        for header in ["set-cookie", "vary", "cache-control"] {
            assert_eq!(response.header(header), None, "{header}");
        }
    }
}

#[tokio::test]
async fn a_visitor_that_only_reads_gets_no_session() {
    let shop = Server::start(&[]);
    for path in ["/me", "/count", "/cart", "/"] {
        let response = shop.send(Request::get(path)).await;
        assert_eq!((response.status, response.header("set-cookie")), (200, None), "{path}");
        assert_eq!(response.header("vary"), Some("cookie"), "{path}");
    }
}

#[tokio::test]
async fn a_cookie_for_https_is_bound_to_this_host() {
    let shop = Server::start(&["--cookie", "host"]);
    let response = shop.send(Request::post("/count")).await;
    let cookie = response.header("set-cookie").expect("a session has begun");
    assert!(cookie.starts_with("__Host-SID="), "{cookie}");
    for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
}
