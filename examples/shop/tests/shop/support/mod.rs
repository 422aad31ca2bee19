//! The real server, and clients for it.

mod connection;
mod server;

use std::future::Future;
use std::time::Duration;

pub(crate) use self::connection::{Answer, Connection, Request};
pub(crate) use self::server::Server;

/// How long anything may take before a test fails instead of hanging. No test passes or fails by how long it took.
const DEADLINE: Duration = Duration::from_secs(120);

/// Runs a future, and fails if that takes for ever.
pub(crate) async fn in_time<F: Future>(what: &str, future: F) -> F::Output {
    let done = tokio::time::timeout(DEADLINE, future).await;
    done.unwrap_or_else(|_| panic!("{what}: not done in time"))
}

/// Asks again and again until the answer is yes.
pub(crate) async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    in_time(what, async {
        while !ask().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
