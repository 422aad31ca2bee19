//! The sessions of a user: the list of them, and how to end them.

mod limit;
mod page;
mod shared;

use serde_json::{Value, json};
use sessile::SessionKey;

use crate::support::{Request, Response, Server};

/// Logs in with this user agent, and returns the id.
async fn log_in_with(shop: &Server, user: &str, agent: &str) -> String {
    let login = Request::post("/login").json(&json!({ "user": user }).to_string());
    let response = shop.send(login.header("user-agent", agent)).await;
    assert_eq!(response.status, 200, "{response:?}");
    response.new_id().expect("a login returns an id")
}

async fn user(shop: &Server, id: &str) -> Value {
    shop.send(Request::get("/me").id(id)).await.json()["user"].clone()
}

async fn list(shop: &Server, id: &str) -> Vec<Value> {
    let response = shop.send(Request::get("/sessions").id(id)).await;
    assert_eq!((response.status, response.new_id()), (200, None), "{response:?}");
    let list = response.json();
    list["sessions"].as_array().expect("a list").clone()
}

/// Returns the key of the session with this id.
async fn key(shop: &Server, id: &str) -> String {
    let list = list(shop, id).await;
    let mut current = list.iter().filter(|session| session["current"] == true);
    let key = current.next().expect("the own session is in the list")["key"].as_str();
    assert_eq!(current.next(), None);
    key.expect("a key is text").to_owned()
}

async fn end(shop: &Server, id: &str, key: &str) -> Response {
    let path = format!("/sessions/{key}");
    shop.send(Request::new("DELETE", &path).id(id)).await
}

async fn ended(shop: &Server, path: &str, id: &str) -> Value {
    let response = shop.send(Request::post(path).id(id)).await;
    assert_eq!((response.status, response.new_id()), (200, None), "{response:?}");
    response.json()["ended"].clone()
}

fn removes_the_cookie(response: &Response) -> bool {
    response
        .header("set-cookie")
        .is_some_and(|cookie| cookie.contains("Max-Age=0"))
}

#[tokio::test]
async fn two_browsers_see_each_other_and_one_ends_the_other() {
    let shop = Server::start(&[]);
    let first = log_in_with(&shop, "ada", "Firefox").await;
    let second = log_in_with(&shop, "ada", "Chromium").await;
    log_in_with(&shop, "eve", "Safari").await;

    let listed = list(&shop, &first).await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    for (session, (agent, current)) in listed.iter().zip([("Firefox", true), ("Chromium", false)]) {
        assert_eq!(session["client"], json!({"address": "127.0.0.1", "agent": agent}));
        assert_eq!(session["current"], current);
        for moment in ["created", "last_seen"] {
            let moment = session[moment].as_str().expect("a moment is text");
            assert!(moment.starts_with("20") && moment.ends_with('Z'), "{moment}");
        }
    }

    let other = key(&shop, &second).await;
    assert_eq!(listed[1]["key"], *other);
    let response = end(&shop, &first, &other).await;
    assert_eq!((response.status, response.body.as_str()), (204, ""));
    assert_eq!(response.header("set-cookie"), None, "this browser stays logged in");
    assert!(user(&shop, &second).await.is_null());
    assert_eq!(user(&shop, &first).await, "ada");
    assert_eq!(list(&shop, &first).await.len(), 1);
    assert_eq!(end(&shop, &first, &other).await.status, 404, "it is gone already");
}

#[tokio::test]
async fn ending_the_current_session_is_a_logout() {
    let shop = Server::start(&[]);
    let (here, there) = (shop.log_in("ada").await, shop.log_in("ada").await);
    let response = end(&shop, &here, &key(&shop, &here).await).await;
    assert_eq!(response.status, 204);
    assert!(removes_the_cookie(&response), "{response:?}");
    assert!(user(&shop, &here).await.is_null());
    assert_eq!(user(&shop, &there).await, "ada");
}

#[tokio::test]
async fn the_session_of_another_user_is_not_found() {
    let shop = Server::start(&[]);
    let (ada, eve) = (shop.log_in("ada").await, shop.log_in("eve").await);
    let hers = key(&shop, &eve).await;
    let own = key(&shop, &ada).await;
    for key in [
        hers.clone(),
        // No session at all, and the record that lists Ada's sessions.
        SessionKey::derive("test", "none").to_string(),
        SessionKey::derive("owner", "ada").to_string(),
        SessionKey::derive("owner", "eve").to_string(),
        // No keys.
        "nonsense".to_owned(),
        own.to_uppercase(),
        own[..own.len() - 1].to_owned(),
        format!("{own}0"),
        "%00".to_owned(),
        "..%2f..".to_owned(),
        "%3Cscript%3E".to_owned(),
        "x".repeat(10_000),
        // An id is no key.
        ada.clone(),
    ] {
        let response = end(&shop, &ada, &key).await;
        assert_eq!(response.status, 404, "{key}");
        assert_eq!(response.json(), json!({"error": "you have no such session"}), "{key}");
        assert_eq!(response.header("set-cookie"), None, "{key}");
    }
    assert_eq!(user(&shop, &ada).await, "ada");
    assert_eq!(user(&shop, &eve).await, "eve");
    assert_eq!(list(&shop, &ada).await.len(), 1, "the list is still there");
}

#[tokio::test]
async fn a_logout_everywhere_ends_all_sessions_of_the_user() {
    let shop = Server::start(&[]);
    let here = shop.log_in("ada").await;
    let others = [shop.log_in("ada").await, shop.log_in("ada").await];
    let eve = shop.log_in("eve").await;
    let visitor = shop.send(Request::post("/count")).await.new_id().expect("a session");

    let response = shop.send(Request::post("/logout-everywhere").id(&here)).await;
    assert_eq!((response.status, response.json()), (200, json!({"ended": 3})));
    assert!(removes_the_cookie(&response), "{response:?}");
    for id in others.iter().chain([&here]) {
        assert!(user(&shop, id).await.is_null());
    }
    assert_eq!(user(&shop, &eve).await, "eve");
    assert_eq!(shop.count(&visitor).await, 1);
    assert_eq!(
        list(&shop, &shop.log_in("ada").await).await.len(),
        1,
        "a later login is new"
    );
}

#[tokio::test]
async fn a_logout_of_the_others_keeps_this_session() {
    let shop = Server::start(&[]);
    for path in ["/logout-others", "/logout-elsewhere"] {
        let here = shop.log_in("ada").await;
        let others = [shop.log_in("ada").await, shop.log_in("ada").await];
        assert_eq!(ended(&shop, path, &here).await, 2);
        assert_eq!(list(&shop, &here).await.len(), 1);
        for id in &others {
            assert!(user(&shop, id).await.is_null());
        }
        assert_eq!(ended(&shop, "/logout-everywhere", &here).await, Value::from(1));
    }
}

#[tokio::test]
async fn without_a_login_there_is_no_list_and_nothing_ends() {
    let shop = Server::start(&[]);
    let ada = shop.log_in("ada").await;
    let hers = key(&shop, &ada).await;
    let visitor = shop.send(Request::post("/count")).await.new_id().expect("a session");
    for request in [
        Request::get("/sessions"),
        Request::new("DELETE", &format!("/sessions/{hers}")),
        Request::new("DELETE", "/sessions/nonsense"),
        Request::post("/logout-everywhere"),
        Request::post("/logout-others"),
    ] {
        for request in [request.clone(), request.id(&visitor)] {
            let response = shop.send(request.clone()).await;
            assert_eq!((response.status, response.header("set-cookie")), (403, None));
            assert_eq!(response.json(), json!({"error": "nobody is logged in"}));
        }
    }
    assert_eq!(user(&shop, &ada).await, "ada");
    assert_eq!(shop.count(&visitor).await, 1);
}

#[tokio::test]
async fn the_list_follows_new_logins_in_the_same_browser() {
    let shop = Server::start(&[]);
    let first = log_in_with(&shop, "ada", "Firefox 1").await;
    let again = Request::post("/login").json(r#"{"user":"ada"}"#).id(&first);
    let response = shop.send(again.header("user-agent", "Firefox 2")).await;
    let second = response.new_id().expect("a login returns an id");
    let listed = list(&shop, &second).await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["client"]["agent"], "Firefox 2");

    let other = Request::post("/login").json(r#"{"user":"eve"}"#).id(&second);
    let third = shop.send(other).await.new_id().expect("a login returns an id");
    assert_eq!(list(&shop, &third).await.len(), 1);
    assert_eq!(list(&shop, &shop.log_in("ada").await).await.len(), 1);
}

#[tokio::test]
async fn the_address_of_a_proxy_is_trusted_only_by_name() {
    for (flags, address) in [
        (&[][..], "127.0.0.1"),
        (&["--proxy-header", "X-Forwarded-For"][..], "203.0.113.7"),
    ] {
        let shop = Server::start(flags);
        let login = Request::post("/login").json(r#"{"user":"ada"}"#);
        let login = login.header("x-forwarded-for", "198.51.100.1, 203.0.113.7");
        let id = shop.send(login).await.new_id().expect("a login returns an id");
        assert_eq!(list(&shop, &id).await[0]["client"]["address"], address);
    }
}
