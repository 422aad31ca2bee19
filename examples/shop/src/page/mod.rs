//! The HTML interface: a page and its forms.
//!
//! The response to a form is a redirect to the page, so that reloading the page repeats nothing. A script sends the
//! forms without leaving the page and counts down the seconds; the page works without it.

mod forms;
mod sessions;
mod show;
mod stored;
mod template;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};

pub(crate) use self::show::failed;
use crate::state::AppState;

pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(show::page))
        .route("/style.css", get(style))
        .route("/script.js", get(script))
        .route("/page/login", post(forms::log_in))
        .route("/page/logout", post(forms::log_out))
        .route("/page/logout-elsewhere", post(forms::log_out_elsewhere))
        .route("/page/logout-everywhere", post(forms::log_out_everywhere))
        .route("/page/sessions/end", post(forms::end_session))
        .route("/page/count", post(forms::count))
        .route("/page/fifty", post(forms::fifty))
        .route("/page/cart", post(forms::add_to_cart))
}

async fn style() -> impl IntoResponse {
    asset("text/css; charset=utf-8", include_str!("assets/style.css"))
}

async fn script() -> impl IntoResponse {
    asset("text/javascript; charset=utf-8", include_str!("assets/script.js"))
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text)
}
