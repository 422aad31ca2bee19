//! Two shops on one server.

use std::collections::BTreeSet;
use std::sync::Arc;

use sessile_lab::redis::RedisServer;
use tokio::task::JoinSet;

use super::{share, shop, shop_with};
use crate::support::{Request, until};

const CLIENTS: u64 = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_parallel_requests_count_sixty_four() {
    let redis = RedisServer::start();
    let shops = [shop(&redis.url()), shop(&redis.url())];
    let id = shops[0].log_in("ada").await;
    let add = Arc::new(Request::post("/count").id(&id));
    // First all requests through one shop, then half of them through each.
    for (round, shops) in [[&shops[0]; 2], [&shops[0], &shops[1]], [&shops[1], &shops[0]]]
        .into_iter()
        .enumerate()
    {
        let mut requests = JoinSet::new();
        for client in 0..CLIENTS {
            let mut connection = shops[client as usize % 2].connect().await;
            let add = Arc::clone(&add);
            requests.spawn(async move {
                let response = connection.send(&add).await;
                assert_eq!(response.status, 200, "{response:?}");
                response.count()
            });
        }
        let mut counts = BTreeSet::new();
        while let Some(count) = requests.join_next().await {
            counts.insert(count.expect("the request succeeds"));
        }
        let before = round as u64 * CLIENTS;
        let expected: BTreeSet<u64> = (before + 1..=before + CLIENTS).collect();
        assert_eq!(counts, expected, "round {round}: each request sees a number of its own");
        for shop in shops {
            assert_eq!(shop.count(&id).await, before + CLIENTS, "round {round}");
        }
    }
}

#[tokio::test]
async fn each_shop_sees_the_sessions_of_the_other() {
    let redis = RedisServer::start();
    share(&shop(&redis.url()), &shop(&redis.url())).await;
}

#[tokio::test]
async fn a_unix_socket_leads_to_the_same_sessions() {
    let redis = RedisServer::start();
    let socket = format!("redis+unix://{}", redis.socket().display());
    share(&shop(&redis.url()), &shop(&socket)).await;
}

#[tokio::test]
async fn a_session_survives_any_end_of_the_shop() {
    let redis = RedisServer::start();
    let first = shop_with(&redis.url(), &["--lock-lease", "1", "--lock-wait", "0.1"]);
    let id = first.log_in("ada").await;
    assert_eq!(first.send(Request::post("/count").id(&id)).await.count(), 1);
    // The shop is killed while a request holds the lock, which is free again when its lease has expired.
    let mut interrupted = first.connect().await;
    interrupted
        .send_bytes(&Request::post("/slow?ms=60000").id(&id).to_bytes())
        .await;
    first.until_locked(&id).await;
    let before = first.count(&id).await;
    drop(first);

    let second = shop(&redis.url());
    assert_eq!(second.send(Request::get("/me").id(&id)).await.json()["user"], "ada");
    assert_eq!(second.send(Request::post("/count").id(&id)).await.count(), before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_through_one_shop_is_final_for_slow_writers_of_the_other() {
    let redis = RedisServer::start();
    let (here, there) = (shop(&redis.url()), Arc::new(shop(&redis.url())));
    let id = here.log_in("ada").await;
    let mut writers = JoinSet::new();
    for writer in 0..32 {
        let (there, id) = (Arc::clone(&there), id.clone());
        let path = ["/slow?ms=20", "/read-then-write?ms=20"][writer % 2];
        writers.spawn(async move { there.send(Request::post(path).id(&id)).await });
    }
    until("the writers are running", async || here.count(&id).await > 0).await;

    assert_eq!(here.send(Request::post("/logout").id(&id)).await.status, 204);
    while !writers.is_empty() {
        for shop in [&here, &*there] {
            assert!(shop.send(Request::get("/me").id(&id)).await.json()["user"].is_null());
            assert_eq!(shop.count(&id).await, 0);
        }
        while let Some(response) = writers.try_join_next() {
            let response = response.expect("the writer gets a response");
            // Writers that had not loaded the session begin a new one; the others get an error.
            assert!([200, 409].contains(&response.status), "{response:?}");
            assert_ne!(response.new_id().as_ref(), Some(&id));
        }
    }
    for shop in [&here, &*there] {
        assert_eq!(shop.count(&id).await, 0);
    }
}
