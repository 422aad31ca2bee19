//! The real server, and clients for it.

mod connection;
mod server;

use std::future::Future;
use std::time::Duration;

pub(crate) use self::connection::{Connection, Request, Response};
pub(crate) use self::server::Server;

/// The time after which a test fails instead of hanging. No test depends on how long something takes.
const DEADLINE: Duration = Duration::from_secs(120);

/// Runs a future, and panics if it does not complete in time.
pub(crate) async fn in_time<F: Future>(what: &str, future: F) -> F::Output {
    let done = tokio::time::timeout(DEADLINE, future).await;
    done.unwrap_or_else(|_| panic!("{what}: not completed in time"))
}

/// Polls the condition until it holds.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    in_time(what, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
