//! The limit of sessions of one user.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use super::{list, user};
use crate::support::{Request, Server};

const REFUSED: &str = "you are logged in 2 times, which is the limit: log out somewhere else first";

#[tokio::test]
async fn a_login_beyond_the_limit_ends_the_oldest() {
    let shop = Server::start(&["--limit", "2"]);
    let eve = shop.log_in("eve").await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(shop.log_in("ada").await);
    }
    for (id, lives) in ids.iter().zip([false, false, true, true]) {
        assert_eq!(user(&shop, id).await == "ada", lives);
    }
    assert_eq!(user(&shop, &eve).await, "eve");

    // A further login in the same browser is no further session.
    let again = Request::post("/login").json(r#"{"user":"ada"}"#).id(&ids[3]);
    let again = shop.send(again).await.new_id().expect("a login returns an id");
    assert_eq!(user(&shop, &ids[2]).await, "ada");
    assert_eq!(list(&shop, &again).await.len(), 2);
}

#[tokio::test]
async fn a_refused_login_says_so_and_changes_nothing() {
    let shop = Server::start(&["--limit", "2", "--refuse"]);
    let ids = [shop.log_in("ada").await, shop.log_in("ada").await];
    let cart = Request::post("/cart").json(r#"{"item":"tea"}"#);
    let visitor = shop.send(cart).await.new_id().expect("a session");
    let login = Request::post("/login").json(r#"{"user":"ada"}"#);
    for login in [login.clone(), login.clone().id(&visitor)] {
        let refused = shop.send(login).await;
        assert_eq!((refused.status, refused.header("set-cookie")), (409, None));
        assert_eq!(refused.json(), json!({ "error": REFUSED }));
        assert_eq!(refused.header("retry-after"), None);
    }
    let form = Request::post("/page/login")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "text/html")
        .body("user=ada");
    let page = shop.send(form.id(&visitor)).await;
    assert_eq!((page.status, page.header("set-cookie")), (409, None));
    assert!(page.body.contains("<h2>Conflict</h2>"), "{page:?}");
    assert!(page.body.contains(&REFUSED[1..]), "{page:?}");

    assert!(user(&shop, &visitor).await.is_null());
    let cart = shop.send(Request::get("/cart").id(&visitor)).await;
    assert_eq!(cart.json(), json!({"items": ["tea"]}));
    for id in &ids {
        assert_eq!(user(&shop, id).await, "ada");
    }

    assert_eq!(shop.send(Request::post("/logout").id(&ids[0])).await.status, 204);
    let accepted = shop.send(login.id(&visitor)).await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_logins_respect_the_limit() {
    let shop = Arc::new(Server::start(&["--limit", "3"]));
    let mut logins = JoinSet::new();
    for _ in 0..32 {
        let shop = Arc::clone(&shop);
        let login = Request::post("/login").json(r#"{"user":"ada"}"#);
        logins.spawn(async move { shop.send(login).await });
    }
    let mut live = 0;
    for login in logins.join_all().await {
        // A login is refused if later ones take its place before its session is stored.
        assert!([200, 409].contains(&login.status), "{login:?}");
        if let Some(id) = login.new_id() {
            live += usize::from(user(&shop, &id).await == "ada");
        }
    }
    assert_eq!(live, 3);
}
