//! The page, and the page for failures.

use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::sessions::sessions;
use super::stored::stored;
use super::template::{escape, fill};
use crate::failure::Failure;
use crate::shop::{self, Carts, Elsewhere, Fifty, Lifetimes, Moment, ShopSession, Visitor, account, counter, fifty};

const LAYOUT: &str = include_str!("assets/layout.html");
const VISITOR: &str = include_str!("assets/visitor.html");
const CUSTOMER: &str = include_str!("assets/customer.html");
const SHOP: &str = include_str!("assets/shop.html");
const FIFTY: &str = include_str!("assets/fifty.html");
const FAILED: &str = include_str!("assets/failed.html");

/// Shows the values of the session. Reads without waiting; a visitor that changes nothing gets no session and no
/// cookie.
pub(super) async fn page(
    session: ShopSession,
    State(carts): State<Carts>,
    State(lifetimes): State<Lifetimes>,
) -> Result<Response, Failure> {
    let user = account::current(&session).await?;
    let items = carts.items().await?;
    let items = items.iter().map(|item| format!("<li>{}</li>", escape(item.as_ref())));
    let kept = shop::stored(&session, &carts, lifetimes).await?;

    let who = match (&user, shop::sessions::list(&session).await?) {
        (Some(user), Ok(listed)) => {
            let elsewhere = session.get(Visitor::ELSEWHERE)?;
            let values = [
                ("user", escape(user.as_ref())),
                ("elsewhere", elsewhere.as_ref().map(logged_out).unwrap_or_default()),
                ("sessions", sessions(&listed)),
            ];
            fill(CUSTOMER, &values)
        }
        _ => VISITOR.to_owned(),
    };
    let values = [
        ("count", counter::current(&session).await?.to_string()),
        (
            "fifty",
            session.get(Visitor::FIFTY)?.as_ref().map(outcome).unwrap_or_default(),
        ),
        ("items", items.collect()),
        ("stored", stored(kept.as_ref(), Moment::now())),
    ];
    Ok(html(
        StatusCode::OK,
        "The shop",
        &format!("{who}{}", fill(SHOP, &values)),
    ))
}

/// Renders the page for a failure.
pub(crate) fn failed(failure: &Failure) -> Response {
    let title = failure.status().canonical_reason().unwrap_or("That did not work");
    let values = [("title", title.to_owned()), ("text", sentence(failure.text()))];
    html(failure.status(), &format!("{title} - The shop"), &fill(FAILED, &values))
}

fn logged_out(elsewhere: &Elsewhere) -> String {
    match elsewhere.ended {
        0 => "<p>You were logged in nowhere else.</p>".to_owned(),
        1 => "<p>Logged out in one other browser.</p>".to_owned(),
        number => format!("<p>Logged out in {number} other browsers.</p>"),
    }
}

fn outcome(outcome: &Fifty) -> String {
    let arrived = outcome.without_locks.saturating_sub(outcome.before);
    let values = [
        ("before", outcome.before.to_string()),
        ("with_locks", outcome.with_locks.to_string()),
        ("without_locks", outcome.without_locks.to_string()),
        ("lost", fifty::VISITS.saturating_sub(arrived).to_string()),
    ];
    fill(FIFTY, &values)
}

/// Turns the text of a failure into a sentence.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase).into_iter().flatten();
    escape(&first.chain(characters).chain(['.']).collect::<String>())
}

fn html(status: StatusCode, title: &str, body: &str) -> Response {
    // Forbids foreign resources, inline scripts and styles, framing, and caching of personal data.
    const HEADERS: [(HeaderName, &str); 4] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let values = [
        ("title", title.to_owned()),
        ("now", Moment::now().to_string()),
        ("body", body.to_owned()),
    ];
    (status, HEADERS, Html(fill(LAYOUT, &values))).into_response()
}
