//! [`AppState`]: what handlers share.

use axum::extract::FromRef;

use crate::shop::{Carts, Lifetimes, Logins};

/// Handlers take the part they need, with `State(carts): State<Carts>` for example.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct AppState {
    pub(crate) carts: Carts,
    pub(crate) logins: Logins,
    pub(crate) lifetimes: Lifetimes,
}
