//! Ids: a client cannot choose them, and each login creates a new one.

use std::sync::Arc;

use reqwest::cookie::{CookieStore, Jar};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Request, Server};

#[tokio::test]
async fn an_id_made_up_by_a_client_is_never_adopted() {
    let shop = Server::start(&[]);
    let mut ids = Vec::new();
    for invented in [
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
            let response = shop.send(request.clone().id(invented)).await;
            assert_eq!(response.status, 200, "{request:?}");
            let id = response.new_id().expect("a session has begun");
            assert_ne!(id, invented, "{request:?}");
            assert!(!ids.contains(&id), "{request:?}: ids are new");
            ids.push(id);
            assert_eq!(shop.count(invented).await, 0, "{request:?}");
            let me = shop.send(Request::get("/me").id(invented)).await;
            assert_eq!(me.json(), json!({"user": null}), "{request:?}");
        }
    }
}

#[tokio::test]
async fn a_login_ends_the_id_it_came_with() {
    let shop = Server::start(&[]);
    let planted = shop
        .send(Request::post("/count"))
        .await
        .new_id()
        .expect("a session has begun");
    let login = shop
        .send(Request::post("/login").json(r#"{"user":"ada"}"#).id(&planted))
        .await;
    let id = login.new_id().expect("a login returns an id");
    assert_ne!(id, planted);
    assert_eq!(shop.count(&id).await, 1, "the values of the session stay in it");

    // A client with the old id sees nothing, changes nothing, and does not disturb the client with the new one.
    let me = shop.send(Request::get("/me").id(&planted)).await;
    assert_eq!(
        (me.status, me.json(), me.header("set-cookie")),
        (200, json!({"user": null}), None)
    );
    for request in [
        Request::post("/count"),
        Request::post("/login").json(r#"{"user":"eve"}"#),
        Request::post("/cart").json(r#"{"item":"tea"}"#),
    ] {
        let late = shop.send(request.clone().id(&planted)).await;
        assert_eq!((late.status, late.header("set-cookie")), (409, None), "{request:?}");
        assert!(late.json()["error"].is_string(), "{request:?}");
    }
    let me = Request::get("/me").id(&id);
    assert_eq!(shop.send(me.clone()).await.json(), json!({"user": "ada"}));
    assert_eq!(shop.count(&id).await, 1);

    // Only a logout follows the session to its new id, so that a logout during a login takes effect.
    shop.send(Request::post("/logout").id(&planted)).await;
    assert_eq!(shop.send(me).await.json(), json!({"user": null}));
}

#[tokio::test]
async fn a_login_that_fails_leaves_the_id_it_came_with() {
    let shop = Server::start(&["--lock-wait", "0.1"]);
    let id = shop.log_in("ada").await;
    let mut holder = shop.connect().await;
    holder
        .send_bytes(&Request::post("/slow?ms=60000").id(&id).to_bytes())
        .await;
    shop.until_locked(&id).await;
    let response = shop
        .send(Request::post("/login").json(r#"{"user":"eve"}"#).id(&id))
        .await;
    assert_eq!((response.status, response.header("set-cookie")), (503, None));
    assert_eq!(response.header("retry-after"), Some("1"));
    assert_eq!(
        shop.send(Request::get("/me").id(&id)).await.json(),
        json!({"user": "ada"})
    );
}

/// A browser: one cookie jar for many parallel requests.
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
        let response = self.client.get(shop.url("/me")).send().await.expect("a response");
        response.json::<Value>().await.expect("JSON")["user"].clone()
    }

    fn cookies(&self, shop: &Server) -> Option<String> {
        let url = shop.url("/").parse().expect("a URL");
        let cookies = self.jar.cookies(&url)?;
        Some(cookies.to_str().expect("text").to_owned())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_beside_a_login_do_not_remove_the_new_cookie() {
    let shop = Server::start(&["--lock-wait", "60"]);
    let browser = Browser::new();
    browser
        .client
        .post(shop.url("/count"))
        .send()
        .await
        .expect("a response");

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
        let login = login.send().await.expect("a response");
        assert_eq!(login.status(), 200, "round {round}");
        while let Some(response) = beside.join_next().await {
            let response = response.expect("the request is not cut off").expect("a response");
            assert!(
                [200, 409].contains(&response.status().as_u16()),
                "round {round}: {response:?}"
            );
        }
        assert_ne!(browser.cookies(&shop), before, "round {round}");
        // A late login may have set another user, but the browser is still logged in.
        let now = browser.user(&shop).await;
        assert!(now == json!(user) || now == json!("late"), "round {round}: {now}");
    }
}
