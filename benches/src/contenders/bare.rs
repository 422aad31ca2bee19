//! The floor: no sessions, and one number for all clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use tokio::sync::Mutex;

use super::{Contender, ONE_VALUE};

#[derive(Clone, Default)]
struct Numbers {
    count: Arc<AtomicU64>,
    /// The count of `/hold`, under tokio's mutex.
    held: Arc<Mutex<u64>>,
}

pub(super) const NAME: &str = "bare axum";

pub(crate) fn make() -> Contender {
    Contender::new(NAME, router())
}

pub(super) fn router() -> Router {
    let ok = async || "ok";
    let read = async |State(numbers): State<Numbers>| numbers.count.load(Ordering::Relaxed).to_string();
    let add = async |State(numbers): State<Numbers>| (numbers.count.fetch_add(1, Ordering::Relaxed) + 1).to_string();
    let hold = async |State(numbers): State<Numbers>| {
        let mut held = numbers.held.lock().await;
        tokio::task::yield_now().await;
        *held += 1;
        held.to_string()
    };
    let held = async |State(numbers): State<Numbers>| numbers.held.lock().await.to_string();
    Router::new()
        .route("/plain", get(ok))
        .route("/count", get(read).post(add))
        .route("/update", post(add))
        .route("/hold", get(held).post(hold))
        .route("/note", post(ok))
        .route("/large", post(ok))
        .route("/many", get(async || ONE_VALUE).post(ok))
        .route("/rotate", post(ok))
        .route("/destroy", post(ok))
        .with_state(Numbers::default())
}
