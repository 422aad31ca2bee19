//! A logout is final, even during other requests.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Request, Server, in_time, until};

async fn finds_nothing(shop: &Server, id: &str) {
    assert_eq!(
        shop.send(Request::get("/me").id(id)).await.json(),
        json!({"user": null})
    );
    assert_eq!(
        shop.send(Request::get("/count").id(id)).await.json(),
        json!({"count": 0})
    );
    assert_eq!(
        shop.send(Request::get("/cart").id(id)).await.json(),
        json!({"items": []})
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_survives_a_logout_that_a_hundred_slow_writers_run_against() {
    for _ in 0..5 {
        let shop = Arc::new(Server::start(&["--lock-wait", "60"]));
        let id = shop.log_in("ada").await;
        shop.send(Request::post("/cart").json(r#"{"item":"tea"}"#).id(&id))
            .await;
        let mut writers = JoinSet::new();
        for writer in 0..100 {
            let (shop, id) = (Arc::clone(&shop), id.clone());
            writers.spawn(async move {
                let path = if writer % 2 == 0 {
                    "/slow?ms=20"
                } else {
                    "/read-then-write?ms=20"
                };
                shop.send(Request::post(path).id(&id)).await
            });
        }
        until("the writers are running", async || shop.count(&id).await > 0).await;

        let logout = shop.send(Request::post("/logout").id(&id)).await;
        assert_eq!(logout.status, 204);
        while !writers.is_empty() {
            finds_nothing(&shop, &id).await;
            while let Some(response) = writers.try_join_next() {
                let response = response.expect("the writer gets a response");
                // Writers that had not loaded the session begin a new one; the others get an error.
                assert!([200, 409].contains(&response.status), "{response:?}");
            }
        }
        finds_nothing(&shop, &id).await;
    }
}

#[tokio::test]
async fn a_writer_overtaken_by_the_logout_gets_an_error_and_no_cookie() {
    let shop = Arc::new(Server::start(&["--lock-wait", "0.1"]));
    let id = shop.log_in("ada").await;
    let (slow, its_id) = (Arc::clone(&shop), id.clone());
    let slow = tokio::spawn(async move { slow.send(Request::post("/slow?ms=3000").id(&its_id)).await });
    shop.until_locked(&id).await;

    let logout = shop.send(Request::post("/logout").id(&id)).await;
    assert_eq!(logout.status, 204);
    assert!(!slow.is_finished(), "the logout waits for no lock");
    finds_nothing(&shop, &id).await;
    let response = slow.await.expect("the writer gets a response");
    assert_eq!((response.status, response.new_id()), (409, None));
    assert!(response.json()["error"].is_string());
    finds_nothing(&shop, &id).await;
}

#[tokio::test]
async fn a_reader_that_writes_after_the_logout_gets_an_error() {
    let shop = Server::start(&[]);
    // The time of the read is not visible from outside, so this repeats until a logout falls between read and write.
    let response = in_time("a logout between reading and writing", async {
        loop {
            let id = shop.log_in("ada").await;
            let read_then_write = Request::post("/read-then-write?ms=300").id(&id);
            let log_out = async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                shop.send(Request::post("/logout").id(&id)).await
            };
            let (response, _) = tokio::join!(shop.send(read_then_write), log_out);
            if response.status != 200 {
                break response;
            }
        }
    });
    let response = response.await;
    assert_eq!((response.status, response.new_id()), (409, None), "{response:?}");
}
