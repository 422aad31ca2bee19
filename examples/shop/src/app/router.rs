//! The routes, and the layers around them.

use std::any::Any;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use sessile::{SessionError, SessionLayer, StorageError};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;

use super::Settings;
use crate::api::{self, ApiError};
use crate::page;
use crate::shop::Carts;

/// The largest body that is read, in bytes.
const MAX_BODY: usize = 16 * 1024;

/// The whole shop.
///
/// # Errors
///
/// When the storage cannot be opened, or cannot be reached within its time.
pub async fn app(settings: &Settings) -> Result<Router, StorageError> {
    let session = settings.session().await?;
    let sessions = SessionLayer::new(session.clone())
        .carrier(settings.carrier())
        .on_error(answer_failed_session);

    let router = Router::new()
        .merge(api::routes())
        .merge(page::routes())
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Carts::new(session, settings.cart_ttl))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(sessions)
        // Outside of the sessions: a panic has to pass them, so that they write nothing.
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(TraceLayer::new_for_http());
    Ok(router)
}

async fn unknown_path() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there is nothing here")
}

async fn wrong_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method")
}

/// A commit failed after the handler was done. Whoever logged out meanwhile gets the handler's answer, as by default.
fn answer_failed_session(error: &SessionError) -> Option<Response<Bytes>> {
    match error {
        SessionError::Gone => None,
        error => Some(ApiError::from(error).into()),
    }
}

fn answer_panic(_: Box<dyn Any + Send>) -> axum::response::Response {
    ApiError::internal("a handler panicked").into_response()
}
