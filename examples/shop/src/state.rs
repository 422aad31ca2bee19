//! [`AppState`]: the state of all handlers.

use axum::extract::FromRef;

use crate::shop::{Carts, Lifetimes};

/// The state of all handlers, which extract the part they need, for example with `State(carts): State<Carts>`.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct AppState {
    pub(crate) carts: Carts,
    pub(crate) lifetimes: Lifetimes,
}
