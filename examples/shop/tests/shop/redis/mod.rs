//! Sessions in Redis: shared by processes, outliving them, and back when the server is back.
//!
//! The servers are real and started by the tests; where `redis-server` is not installed, these fail and say so.

mod many;
mod start;
mod trouble;
mod two;

use crate::support::{Request, Server};

/// A shop that keeps its sessions there, and whose requests wait for each other as long as it takes.
fn shop(storage: &str) -> Server {
    // Patient with servers on a machine that is busy testing.
    let flags = ["--storage-timeout", "30", "--lock-wait", "60", "--lock-lease", "10"];
    shop_with(storage, &flags)
}

fn shop_with(storage: &str, flags: &[&str]) -> Server {
    Server::start(&[&["--storage", storage], flags].concat())
}

/// What one shop writes the other reads and changes, and a logout by way of one is one for both.
async fn share(one: &Server, two: &Server) {
    let id = one.log_in("ada").await;
    assert_eq!(two.ask(Request::get("/me").id(&id)).await.json()["user"], "ada");
    assert_eq!(two.ask(Request::post("/count").id(&id)).await.count(), 1);
    assert_eq!(one.ask(Request::post("/count").id(&id)).await.count(), 2);
    assert_eq!(two.ask(Request::post("/logout").id(&id)).await.status, 204);
    let answer = one.ask(Request::get("/me").id(&id)).await;
    assert!(answer.json()["user"].is_null(), "{answer:?}");
}
