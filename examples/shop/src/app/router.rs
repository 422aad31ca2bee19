//! The routes, and the layers around them.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{Response, StatusCode};
use axum::middleware;
use axum::response::IntoResponse;
use sessile::{RequestHead, SessionError, SessionLayer};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;

use super::answer::answer;
use super::{Settings, StartError};
use crate::failure::Failure;
use crate::shop::{Carts, Logins, ShopSession};
use crate::state::AppState;
use crate::{api, page};

/// The largest body that is read, in bytes.
const MAX_BODY: usize = 16 * 1024;

/// The whole shop, to be [served](super::serve).
#[derive(Debug)]
pub struct App {
    pub(super) router: Router,
    /// What the routes use, to take leave of when the shop stops.
    pub(super) session: ShopSession,
}

/// Sets the shop up.
///
/// # Errors
///
/// When the storage cannot be opened, or cannot be reached within its time.
pub async fn app(settings: &Settings) -> Result<App, StartError> {
    let storage = settings.storage.open(settings).await?;
    let session = settings.session(Arc::clone(&storage));
    let lifetimes = settings.lifetimes();
    let sessions = SessionLayer::new(session.clone())
        .carrier(settings.carrier())
        .commit_when(|_, answer| !is_failure(answer.status))
        .on_error(answer_failed_session);

    let state = AppState {
        carts: Carts::new(session.clone(), settings.cart_ttl),
        logins: Logins::new(storage, lifetimes.at_most),
        lifetimes,
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
        // Outside of the sessions: a panic has to pass them, so that they write nothing.
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(middleware::from_fn_with_state(place, answer))
        // Failures are told by `answer`, once, and with their reason.
        .layer(TraceLayer::new_for_http().on_failure(()));
    Ok(App { router, session })
}

/// Whatever a request that failed has done to its session is undone, the client's mistakes included.
fn is_failure(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

async fn unknown_path() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "there is nothing here")
}

async fn wrong_method() -> Failure {
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method")
}

/// A commit failed after the handler was done, so its answer would be a lie.
fn answer_failed_session(_: &RequestHead<'_>, error: &SessionError) -> Option<Response<Bytes>> {
    Some(Failure::from(error).into())
}

fn answer_panic(_: Box<dyn Any + Send>) -> axum::response::Response {
    Failure::internal("a handler panicked").into_response()
}
