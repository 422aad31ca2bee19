//! The page.

use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use sessile::SessionError;

use super::template::{escape, fill};
use crate::shop::{Carts, ShopSession, account, counter};

const LAYOUT: &str = include_str!("assets/layout.html");
const VISITOR: &str = include_str!("assets/visitor.html");
const CUSTOMER: &str = include_str!("assets/customer.html");
const SHOP: &str = include_str!("assets/shop.html");
const FAILED: &str = include_str!("assets/failed.html");

/// Shows what the session holds. It reads and never waits; a visitor who does nothing gets no session and no cookie.
pub(super) async fn page(session: ShopSession, State(carts): State<Carts>) -> Result<Response, PageError> {
    let user = account::current(&session).await?;
    let count = counter::current(&session).await?;
    let items = carts.items().await?;

    let who = match &user {
        Some(user) => fill(CUSTOMER, &[("user", &escape(user.as_ref()))]),
        None => VISITOR.to_owned(),
    };
    let items: String = items
        .iter()
        .map(|item| format!("<li>{}</li>", escape(item.as_ref())))
        .collect();
    let shop = fill(SHOP, &[("count", &count.to_string()), ("items", &items)]);
    Ok(html(StatusCode::OK, &format!("{who}{shop}")))
}

/// What a person is shown when something did not work.
#[derive(Debug)]
pub(super) struct PageError {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        html(self.status, &fill(FAILED, &[("text", &escape(&self.text))]))
    }
}

fn html(status: StatusCode, body: &str) -> Response {
    // No scripts, nothing from elsewhere, not in anybody's frame; and what is personal is not kept.
    const HEADERS: [(HeaderName, &str); 4] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, HEADERS, Html(fill(LAYOUT, &[("body", body)]))).into_response()
}

impl From<SessionError> for PageError {
    fn from(error: SessionError) -> Self {
        let error = crate::api::ApiError::from(error);
        Self {
            status: error.status(),
            text: error.text().to_owned(),
        }
    }
}
