//! Sessions in Redis: processes share them, they outlive the processes, and they return with the server.
//!
//! The tests start real servers; if `redis-server` is not installed, they fail and say so.

mod many;
mod start;
mod trouble;
mod two;

use crate::support::{Request, Server};

/// Starts a shop with this storage, whose requests wait for each other without a practical limit.
fn shop(storage: &str) -> Server {
    // The time limit suits servers on a machine that is busy with tests.
    let flags = ["--storage-timeout", "30", "--lock-wait", "60", "--lock-lease", "10"];
    shop_with(storage, &flags)
}

fn shop_with(storage: &str, flags: &[&str]) -> Server {
    Server::start(&[&["--storage", storage], flags].concat())
}

/// Asserts that each shop reads and changes the sessions of the other, and that a logout through one is valid for both.
async fn share(one: &Server, two: &Server) {
    let id = one.log_in("ada").await;
    assert_eq!(two.send(Request::get("/me").id(&id)).await.json()["user"], "ada");
    assert_eq!(two.send(Request::post("/count").id(&id)).await.count(), 1);
    assert_eq!(one.send(Request::post("/count").id(&id)).await.count(), 2);
    assert_eq!(two.send(Request::post("/logout").id(&id)).await.status, 204);
    let response = one.send(Request::get("/me").id(&id)).await;
    assert!(response.json()["user"].is_null(), "{response:?}");
}
