//! `/logout-elsewhere` ends all other sessions of the user, and no others.

use serde_json::json;

use crate::support::{Request, Server};

async fn user(shop: &Server, id: &str) -> serde_json::Value {
    shop.send(Request::get("/me").id(id)).await.json()["user"].clone()
}

async fn log_out_elsewhere(shop: &Server, id: &str) -> serde_json::Value {
    let response = shop.send(Request::post("/logout-elsewhere").id(id)).await;
    assert_eq!((response.status, response.new_id()), (200, None), "{response:?}");
    response.json()
}

#[tokio::test]
async fn all_other_sessions_of_the_user_end_and_no_others() {
    let shop = Server::start(&[]);
    let here = shop.log_in("ada").await;
    let others = [shop.log_in("ada").await, shop.log_in("ada").await];
    let eve = shop.log_in("eve").await;
    let visitor = shop.send(Request::post("/count")).await.new_id().expect("a session");

    assert_eq!(log_out_elsewhere(&shop, &here).await, json!({"ended": 2}));
    for id in &others {
        assert!(user(&shop, id).await.is_null());
    }
    assert_eq!(user(&shop, &here).await, "ada");
    assert_eq!(user(&shop, &eve).await, "eve");
    assert_eq!(shop.count(&visitor).await, 1);
    assert_eq!(log_out_elsewhere(&shop, &here).await, json!({"ended": 0}));
}

#[tokio::test]
async fn a_writer_in_another_session_gets_an_error_and_restores_nothing() {
    let shop = Server::start(&["--lock-wait", "0.1"]);
    let (here, there) = (shop.log_in("ada").await, shop.log_in("ada").await);
    let slow = Request::post("/slow?ms=2000").id(&there);
    let end = async {
        shop.until_locked(&there).await;
        log_out_elsewhere(&shop, &here).await
    };
    let (response, ended) = tokio::join!(shop.send(slow), end);
    assert_eq!(ended, json!({"ended": 1}));
    assert_eq!((response.status, response.new_id()), (409, None), "{response:?}");
    assert!(user(&shop, &there).await.is_null());
}

#[tokio::test]
async fn a_session_belongs_to_its_current_user() {
    let shop = Server::start(&[]);
    let here = shop.log_in("ada").await;
    // Ada's second session becomes Eve's.
    let second = shop.log_in("ada").await;
    let eve = shop
        .send(Request::post("/login").json(r#"{"user":"eve"}"#).id(&second))
        .await;
    let eve = eve.new_id().expect("a login returns an id");
    // Her third session is logged out.
    let third = shop.log_in("ada").await;
    shop.send(Request::post("/logout").id(&third)).await;

    assert_eq!(log_out_elsewhere(&shop, &here).await, json!({"ended": 0}));
    assert_eq!(user(&shop, &eve).await, "eve");
}

#[tokio::test]
async fn another_name_makes_no_other_owner() {
    let shop = Server::start(&[]);
    let (here, there) = (shop.log_in("ada").await, shop.log_in("ada").await);
    shop.send(Request::post("/read-then-write?ms=0").id(&there)).await;
    assert_eq!(user(&shop, &there).await, "late");

    let late = shop.log_in("late").await;
    assert_eq!(log_out_elsewhere(&shop, &late).await, json!({"ended": 0}));
    assert_eq!(log_out_elsewhere(&shop, &here).await, json!({"ended": 1}));
    assert!(user(&shop, &there).await.is_null());
}

#[tokio::test]
async fn without_a_login_nothing_ends_and_nothing_begins() {
    let shop = Server::start(&[]);
    let ada = shop.log_in("ada").await;
    let response = shop.send(Request::post("/logout-elsewhere")).await;
    assert_eq!((response.status, response.header("set-cookie")), (403, None));
    assert_eq!(response.json(), json!({"error": "nobody is logged in"}));
    assert_eq!(user(&shop, &ada).await, "ada");
}
