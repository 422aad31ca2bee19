//! The JSON interface. Each request begins a visit, which reads and locks nothing until a handler starts the session.

mod account;
mod cart;
mod count;
mod fail;
mod input;
mod pause;
mod sessions;

use axum::Router;
use axum::routing::{delete, get, post};

use crate::state::AppState;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/login", post(account::log_in))
        .route("/logout", post(account::log_out))
        .route("/logout-everywhere", post(sessions::end_all))
        .route("/logout-others", post(sessions::end_others))
        // The older name.
        .route("/logout-elsewhere", post(sessions::end_others))
        .route("/sessions", get(sessions::list))
        .route("/sessions/{key}", delete(sessions::end))
        .route("/me", get(account::me))
        .route("/count", get(count::show).post(count::add))
        .route("/fifty", post(count::fifty))
        .route("/cart", get(cart::show).post(cart::add))
        .route("/slow", post(pause::slow))
        .route("/read-then-write", post(pause::read_then_write))
        .route("/fail", post(fail::fail))
        .route("/plain", get(plain))
}

/// Does not use its session, and so costs no storage call.
async fn plain() -> &'static str {
    "ok"
}
