//! The floor: no sessions at all, one number for everybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::Contender;

pub(super) fn make() -> Contender {
    let read = async |State(count): State<Arc<AtomicU64>>| count.load(Ordering::Relaxed).to_string();
    let add = async |State(count): State<Arc<AtomicU64>>| (count.fetch_add(1, Ordering::Relaxed) + 1).to_string();
    let router = Router::new()
        .route("/plain", get(async || "ok"))
        .route("/count", get(read).post(add))
        .with_state(Arc::default());
    Contender::new("bare axum", router)
}
