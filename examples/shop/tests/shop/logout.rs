//! Logout is final, whatever is under way.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Request, Server, in_time, until};

async fn finds_nothing(shop: &Server, id: &str) {
    assert_eq!(shop.ask(Request::get("/me").id(id)).await.json(), json!({"user": null}));
    assert_eq!(
        shop.ask(Request::get("/count").id(id)).await.json(),
        json!({"count": 0})
    );
    assert_eq!(
        shop.ask(Request::get("/cart").id(id)).await.json(),
        json!({"items": []})
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_survives_a_logout_that_a_hundred_slow_writers_run_against() {
    for _ in 0..5 {
        let shop = Arc::new(Server::start(&["--lock-wait", "60"]));
        let id = shop.log_in("ada").await;
        shop.ask(Request::post("/cart").json(r#"{"item":"tea"}"#).id(&id)).await;
        let mut writers = JoinSet::new();
        for writer in 0..100 {
            let (shop, id) = (Arc::clone(&shop), id.clone());
            writers.spawn(async move {
                let path = if writer % 2 == 0 {
                    "/slow?ms=20"
                } else {
                    "/read-then-write?ms=20"
                };
                shop.ask(Request::post(path).id(&id)).await
            });
        }
        until("the writers are at it", async || shop.count(&id).await > 0).await;

        let logout = shop.ask(Request::post("/logout").id(&id)).await;
        assert_eq!(logout.status, 204);
        while !writers.is_empty() {
            finds_nothing(&shop, &id).await;
            while let Some(answer) = writers.try_join_next() {
                let answer = answer.expect("the writer gets an answer");
                // Those that had not seen the session begin one of their own; the others are told.
                assert!([200, 409].contains(&answer.status), "{answer:?}");
            }
        }
        finds_nothing(&shop, &id).await;
    }
}

#[tokio::test]
async fn a_writer_that_the_logout_overtakes_is_told_and_leaves_no_cookie() {
    let shop = Arc::new(Server::start(&["--lock-wait", "0.1"]));
    let id = shop.log_in("ada").await;
    let (slow, its_id) = (Arc::clone(&shop), id.clone());
    let slow = tokio::spawn(async move { slow.ask(Request::post("/slow?ms=3000").id(&its_id)).await });
    shop.until_locked(&id).await;

    let logout = shop.ask(Request::post("/logout").id(&id)).await;
    assert_eq!(logout.status, 204);
    assert!(!slow.is_finished(), "the logout waits for no lock");
    finds_nothing(&shop, &id).await;
    let answer = slow.await.expect("the writer gets an answer");
    assert_eq!((answer.status, answer.new_id()), (409, None));
    assert!(answer.json()["error"].is_string());
    finds_nothing(&shop, &id).await;
}

#[tokio::test]
async fn a_reader_that_comes_to_write_after_the_logout_is_told() {
    let shop = Server::start(&[]);
    // From outside nobody sees when the session has been read, so this goes on until the logout fell in between.
    let answer = in_time("a logout between reading and writing", async {
        loop {
            let id = shop.log_in("ada").await;
            let read_then_write = Request::post("/read-then-write?ms=300").id(&id);
            let log_out = async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                shop.ask(Request::post("/logout").id(&id)).await
            };
            let (answer, _) = tokio::join!(shop.ask(read_then_write), log_out);
            if answer.status != 200 {
                break answer;
            }
        }
    });
    let answer = answer.await;
    assert_eq!((answer.status, answer.new_id()), (409, None), "{answer:?}");
}
