//! Logging out elsewhere ends all other sessions of the user, and no others.

use serde_json::json;

use crate::support::{Request, Server};

async fn user(shop: &Server, id: &str) -> serde_json::Value {
    shop.ask(Request::get("/me").id(id)).await.json()["user"].clone()
}

async fn log_out_elsewhere(shop: &Server, id: &str) -> serde_json::Value {
    let answer = shop.ask(Request::post("/logout-elsewhere").id(id)).await;
    assert_eq!((answer.status, answer.new_id()), (200, None), "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn all_other_sessions_of_the_user_end_and_no_others() {
    let shop = Server::start(&[]);
    let here = shop.log_in("ada").await;
    let others = [shop.log_in("ada").await, shop.log_in("ada").await];
    let eve = shop.log_in("eve").await;
    let visitor = shop.ask(Request::post("/count")).await.new_id().expect("a session");

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
async fn a_writer_elsewhere_is_told_and_brings_nothing_back() {
    let shop = Server::start(&["--lock-wait", "0.1"]);
    let (here, there) = (shop.log_in("ada").await, shop.log_in("ada").await);
    let slow = Request::post("/slow?ms=2000").id(&there);
    let end = async {
        shop.until_locked(&there).await;
        log_out_elsewhere(&shop, &here).await
    };
    let (answer, ended) = tokio::join!(shop.ask(slow), end);
    assert_eq!(ended, json!({"ended": 1}));
    assert_eq!((answer.status, answer.new_id()), (409, None), "{answer:?}");
    assert!(user(&shop, &there).await.is_null());
}

#[tokio::test]
async fn a_session_counts_for_the_user_who_is_logged_in_with_it_now() {
    let shop = Server::start(&[]);
    let here = shop.log_in("ada").await;
    // Ada's second session becomes Eve's, and her third somebody's without a new id.
    let second = shop.log_in("ada").await;
    let eve = shop
        .ask(Request::post("/login").json(r#"{"user":"eve"}"#).id(&second))
        .await;
    let eve = eve.new_id().expect("a login brings an id");
    let third = shop.log_in("ada").await;
    shop.ask(Request::post("/read-then-write?ms=0").id(&third)).await;
    // And she has left her fourth.
    let fourth = shop.log_in("ada").await;
    shop.ask(Request::post("/logout").id(&fourth)).await;

    assert_eq!(log_out_elsewhere(&shop, &here).await, json!({"ended": 0}));
    assert_eq!(user(&shop, &eve).await, "eve");
    assert_eq!(user(&shop, &third).await, "late");

    let late = shop.log_in("late").await;
    assert_eq!(log_out_elsewhere(&shop, &late).await, json!({"ended": 1}));
    assert!(user(&shop, &third).await.is_null());
}

#[tokio::test]
async fn who_is_not_logged_in_ends_nothing_and_begins_nothing() {
    let shop = Server::start(&[]);
    let ada = shop.log_in("ada").await;
    let answer = shop.ask(Request::post("/logout-elsewhere")).await;
    assert_eq!((answer.status, answer.header("set-cookie")), (403, None));
    assert_eq!(answer.json(), json!({"error": "nobody is logged in"}));
    assert_eq!(user(&shop, &ada).await, "ada");
}
