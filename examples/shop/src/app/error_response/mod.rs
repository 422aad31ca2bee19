//! The middleware that logs failures and renders their responses.

mod accept;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use self::accept::prefers_html;
use crate::failure::Failure;
use crate::page;

/// Logs the causes of failures, and turns their responses into pages for browsers.
pub(super) async fn error_response(State(storage): State<Arc<str>>, request: Request, next: Next) -> Response {
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
    // Keeps headers such as cookies, `Allow` and `Retry-After`.
    let (mut head, _) = response.into_parts();
    let (page, body) = page::failed(&failure).into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.extend(page.headers);
    Response::from_parts(head, body)
}
