//! The routes and the layers around them.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{Response, StatusCode};
use axum::middleware;
use axum::response::IntoResponse;
use sessile::tower::RequestHead;
use sessile::{SessionError, SessionLayer};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;

use super::error_response::error_response;
use super::{Settings, StartError};
use crate::failure::Failure;
use crate::shop::{Carts, ShopSession};
use crate::state::AppState;
use crate::{api, page};

/// The largest accepted body, in bytes.
const MAX_BODY: usize = 16 * 1024;

/// The whole shop, ready to be [served](super::serve).
#[derive(Debug)]
pub struct App {
    pub(super) router: Router,
    /// The session of the routes, which is drained when the shop stops.
    pub(super) session: ShopSession,
}

/// Builds the shop.
///
/// # Errors
///
/// If the storage cannot be opened, or cannot be reached in time.
pub async fn app(settings: &Settings) -> Result<App, StartError> {
    let storage = settings.storage.open(settings).await?;
    let session = settings.session(storage);
    let sessions = SessionLayer::new(session.clone())
        .carrier(settings.carrier())
        .client_reader(settings.client_reader())
        .commit_when(|_, response| !is_failure(response.status))
        .on_error(failed_session);

    let state = AppState {
        carts: Carts::new(session.clone(), settings.cart_ttl),
        lifetimes: settings.lifetimes(),
    };
    let place: Arc<str> = settings.storage.to_string().into();
    let router = Router::new()
        .merge(api::routes())
        .merge(page::routes())
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(state)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(sessions)
        // Outside of the sessions, so that a panic unwinds through their layer, which then writes nothing.
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(place, error_response))
        // `error_response` logs each failure once, with its cause.
        .layer(TraceLayer::new_for_http().on_failure(()));
    Ok(App { router, session })
}

/// Discards the changes of every failed request, including those that were the client's mistake.
fn is_failure(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

async fn unknown_path() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "there is nothing here")
}

async fn wrong_method() -> Failure {
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method")
}

/// Replaces the response of a handler whose commit failed.
fn failed_session(_: &RequestHead<'_>, error: &SessionError) -> Option<Response<Bytes>> {
    Some(Failure::from(error).into())
}

fn panicked(_: Box<dyn Any + Send>) -> axum::response::Response {
    Failure::internal("a handler panicked").into_response()
}
