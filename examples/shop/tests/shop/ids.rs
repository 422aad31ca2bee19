//! Ids: never the client's choice, and new with each login.

use std::sync::Arc;

use reqwest::cookie::{CookieStore, Jar};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Request, Server};

#[tokio::test]
async fn an_id_made_up_by_a_client_is_never_adopted() {
    let shop = Server::start(&[]);
    let mut ids = Vec::new();
    for made_up in [
        "attacker-chosen-id",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        &"a.b_c-".repeat(20),
    ] {
        for request in [
            Request::post("/count"),
            Request::post("/login").json(r#"{"user":"ada"}"#),
            Request::post("/cart").json(r#"{"item":"tea"}"#),
            Request::post("/slow?ms=0"),
            Request::post("/read-then-write?ms=0"),
        ] {
            let answer = shop.ask(request.clone().id(made_up)).await;
            assert_eq!(answer.status, 200, "{request:?}");
            let id = answer.new_id().expect("a session has begun");
            assert_ne!(id, made_up, "{request:?}");
            assert!(!ids.contains(&id), "{request:?}: ids are new");
            ids.push(id);
            assert_eq!(shop.count(made_up).await, 0, "{request:?}");
            let me = shop.ask(Request::get("/me").id(made_up)).await;
            assert_eq!(me.json(), json!({"user": null}), "{request:?}");
        }
    }
}

#[tokio::test]
async fn a_login_ends_the_id_it_came_with() {
    let shop = Server::start(&[]);
    let planted = shop
        .ask(Request::post("/count"))
        .await
        .new_id()
        .expect("a session has begun");
    let login = shop
        .ask(Request::post("/login").json(r#"{"user":"ada"}"#).id(&planted))
        .await;
    let id = login.new_id().expect("a login brings an id");
    assert_ne!(id, planted);
    assert_eq!(shop.count(&id).await, 1, "what was in the session stays in it");

    // Whoever knows the old id sees nothing, changes nothing, and does not disturb whoever has the new one.
    let me = shop.ask(Request::get("/me").id(&planted)).await;
    assert_eq!(
        (me.status, me.json(), me.header("set-cookie")),
        (200, json!({"user": null}), None)
    );
    for request in [
        Request::post("/count"),
        Request::post("/login").json(r#"{"user":"eve"}"#),
        Request::post("/cart").json(r#"{"item":"tea"}"#),
    ] {
        let late = shop.ask(request.clone().id(&planted)).await;
        assert_eq!((late.status, late.header("set-cookie")), (409, None), "{request:?}");
        assert!(late.json()["error"].is_string(), "{request:?}");
    }
    let me = Request::get("/me").id(&id);
    assert_eq!(shop.ask(me.clone()).await.json(), json!({"user": "ada"}));
    assert_eq!(shop.count(&id).await, 1);

    // A logout alone follows the session to its new id: who logs out while a login is under way is to be out.
    shop.ask(Request::post("/logout").id(&planted)).await;
    assert_eq!(shop.ask(me).await.json(), json!({"user": null}));
}

#[tokio::test]
async fn a_login_that_fails_leaves_the_id_it_came_with() {
    let shop = Server::start(&["--lock-wait", "0.1"]);
    let id = shop.log_in("ada").await;
    let mut holder = shop.connect().await;
    holder.send(&Request::post("/slow?ms=60000").id(&id).to_bytes()).await;
    shop.until_locked(&id).await;
    let answer = shop
        .ask(Request::post("/login").json(r#"{"user":"eve"}"#).id(&id))
        .await;
    assert_eq!((answer.status, answer.header("set-cookie")), (503, None));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(
        shop.ask(Request::get("/me").id(&id)).await.json(),
        json!({"user": "ada"})
    );
}

/// A browser: one cookie jar, many requests at once.
struct Browser {
    client: reqwest::Client,
    jar: Arc<Jar>,
}

impl Browser {
    fn new() -> Self {
        let jar = Arc::new(Jar::default());
        let client = reqwest::Client::builder().cookie_provider(Arc::clone(&jar)).no_proxy();
        Self {
            client: client.build().expect("a client"),
            jar,
        }
    }

    async fn user(&self, shop: &Server) -> Value {
        let answer = self.client.get(shop.url("/me")).send().await.expect("an answer");
        answer.json::<Value>().await.expect("JSON")["user"].clone()
    }

    fn cookies(&self, shop: &Server) -> Option<String> {
        let url = shop.url("/").parse().expect("a URL");
        let cookies = self.jar.cookies(&url)?;
        Some(cookies.to_str().expect("text").to_owned())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_beside_a_login_does_not_take_the_new_cookie_away() {
    let shop = Server::start(&["--lock-wait", "60"]);
    let browser = Browser::new();
    browser.client.post(shop.url("/count")).send().await.expect("an answer");

    for round in 0..200 {
        let user = format!("user-{round}");
        let mut beside = JoinSet::new();
        for (method, path) in [
            (reqwest::Method::POST, "/count"),
            (reqwest::Method::GET, "/me"),
            (reqwest::Method::POST, "/slow?ms=2"),
            (reqwest::Method::POST, "/read-then-write?ms=2"),
            (reqwest::Method::GET, "/cart"),
            (reqwest::Method::POST, "/count"),
            (reqwest::Method::GET, "/"),
            (reqwest::Method::POST, "/count"),
        ] {
            beside.spawn(browser.client.request(method, shop.url(path)).send());
        }
        let before = browser.cookies(&shop);
        let login = browser.client.post(shop.url("/login")).json(&json!({"user": user}));
        let login = login.send().await.expect("an answer");
        assert_eq!(login.status(), 200, "round {round}");
        while let Some(answer) = beside.join_next().await {
            let answer = answer.expect("the request is not cut off").expect("an answer");
            assert!(
                [200, 409].contains(&answer.status().as_u16()),
                "round {round}: {answer:?}"
            );
        }
        assert_ne!(browser.cookies(&shop), before, "round {round}");
        // Whoever comes late may have logged in as another, but nobody is logged out.
        let now = browser.user(&shop).await;
        assert!(now == json!(user) || now == json!("late"), "round {round}: {now}");
    }
}
