//! The middleware that tells of failures.

mod accept;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use self::accept::prefers_html;
use crate::failure::Failure;
use crate::page;

/// Logs what is the matter with the storage, and turns answers that tell of failures into pages for browsers.
pub(super) async fn answer(State(storage): State<Arc<str>>, request: Request, next: Next) -> Response {
    let wants_html = prefers_html(request.headers());
    let mut response = next.run(request).await;
    let Some(failure) = response.extensions_mut().remove::<Failure>() else {
        return response;
    };
    if let Some(cause) = failure.cause() {
        tracing::error!("sessions in {storage}: {cause}");
    }
    let vary = HeaderValue::from(header::ACCEPT);
    response.headers_mut().append(header::VARY, vary);
    if !wants_html {
        return response;
    }
    // Cookies, `Allow`, `Retry-After` and the like stay.
    let (mut head, _) = response.into_parts();
    let (page, body) = page::failed(&failure).into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.extend(page.headers);
    Response::from_parts(head, body)
}
