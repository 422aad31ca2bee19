//! The shop for people: pages and forms, without scripts.
//!
//! A form is answered with a redirect to the page, so that reloading the page repeats nothing.

mod forms;
mod show;
mod template;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};

use crate::shop::Carts;

pub(crate) fn routes() -> Router<Carts> {
    Router::new()
        .route("/", get(show::page))
        .route("/style.css", get(style))
        .route("/page/login", post(forms::log_in))
        .route("/page/logout", post(forms::log_out))
        .route("/page/count", post(forms::count))
        .route("/page/cart", post(forms::add_to_cart))
}

async fn style() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, include_str!("assets/style.css"))
}
