//! Tests handlers that run in another task than the layer: spawned here, behind a buffer, and in a thread pool.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

mod buffered;
#[path = "../common/mod.rs"]
mod common;
mod pinned;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use http::header::SET_COOKIE;
use http_body_util::BodyExt as _;
use sessile_core::{Handle, InSession as _, Key, Namespaces, Session, SessionError, Untyped, Values, Visits};
use sessile_memory::MemoryStorage;
use sessile_tower::{CookieCarrier, Readable, SessionLayer, Writable};
use tower::ServiceExt as _;

use self::common::{Browser, COUNT, Fixture, fixture, lines};

/// A middleware that spawns the rest of the request.
async fn spawn(request: Request, next: Next) -> Response {
    tokio::spawn(next.run(request)).await.unwrap()
}

async fn count(session: Writable) -> Result<String, SessionError> {
    let count = session.update(COUNT, |count| {
        *count += 1;
        *count
    })?;
    Ok(count.to_string())
}

async fn peek(Readable(session): Readable<Session>) -> Result<String, SessionError> {
    Ok(format!("{:?}", session.get(COUNT)?))
}

async fn in_namespace(session: Writable) -> Result<String, SessionError> {
    session.namespace("cart").set("item", "tea")?;
    Ok(session.namespace("cart").keys()?.join(","))
}

async fn update(session: Session) -> Result<String, SessionError> {
    let counted = session.transaction(async || session.update(COUNT, |count| *count += 1));
    counted.await?;
    Ok(format!("{:?}", session.get(COUNT)?))
}

/// Runs much longer than the lease of a lock.
async fn linger(session: Writable) -> Result<&'static str, SessionError> {
    session.set(COUNT, 9)?;
    tokio::time::sleep(Duration::from_secs(300)).await;
    Ok("late")
}

async fn log_out(session: Session) -> Result<(), SessionError> {
    session.destroy().await
}

fn app(layer: SessionLayer) -> Router {
    Router::new()
        .route("/count", get(count))
        .route("/peek", get(peek))
        .route("/cart", get(in_namespace))
        .route("/update", get(update))
        .route("/linger", get(linger))
        .route("/logout", get(log_out))
        .route("/nothing", get(async || "nothing"))
        .layer(middleware::from_fn(spawn))
        .layer(layer)
}

async fn visit(app: &Router, browser: &mut Browser, path: &str) -> (http::Response<()>, String) {
    let request = browser.request(path).map(|()| Body::empty());
    let response = app.clone().oneshot(request).await.unwrap();
    browser.keep(&response);
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    (http::Response::from_parts(parts, ()), text)
}

#[tokio::test(start_paused = true)]
async fn a_session_travels_with_the_request() {
    let fixture = fixture();
    let app = app(fixture.layer().visit_in_extensions());
    let mut browser = Browser::new();
    for (path, expected) in [
        ("/nothing", "nothing"),
        ("/peek", "None"),
        ("/count", "1"),
        ("/count", "2"),
        ("/peek", "Some(2)"),
        ("/cart", "item"),
        ("/update", "Some(3)"),
    ] {
        let (response, text) = visit(&app, &mut browser, path).await;
        assert_eq!((response.status(), &*text), (StatusCode::OK, expected), "{path}");
    }
    let id = browser.id().unwrap();
    assert_eq!(fixture.count_of(&id).await, Some(3));
    visit(&app, &mut browser, "/logout").await;
    assert_eq!(browser.id(), None);
    assert_eq!(fixture.count_of(&id).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_was_taken_in_another_task_is_renewed() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let app = app(fixture.layer().visit_in_extensions());
    let request = common::request_of(&id, "/linger").map(|()| Body::empty());
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(fixture.count_of(&id).await, Some(9));
}

#[tokio::test]
async fn an_unused_session_in_the_extensions_causes_no_storage_call() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    fixture.calls.reset();
    let app = app(fixture.layer().visit_in_extensions());
    let request = common::request_of(&id, "/nothing").map(|()| Body::empty());
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(lines(&response, http::header::VARY), [""; 0]);
    fixture.calls.assert_none();
}

#[tokio::test]
async fn without_the_visit_the_response_explains_the_error() {
    let fixture = fixture();
    let app = app(fixture.layer());
    let (response, text) = visit(&app, &mut Browser::new(), "/peek").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text.contains("runs in another task than the layer"), "{text}");
    assert!(text.contains("SessionLayer::visit_in_extensions"), "{text}");
    assert!(!text.contains("Untyped"), "{text}");
}

/// A middleware can enter the visit again, so that code further in finds its session as usual.
#[tokio::test]
async fn a_visit_can_be_entered_again() {
    async fn put_back(visit: Handle, request: Request, next: Next) -> Response {
        next.run(request).in_session(&visit).await
    }

    async fn deep(session: Session) -> Result<String, SessionError> {
        session.start().await?;
        let found = Session::<Untyped, Untyped>::current().ok_or(SessionError::NotInitialised)?;
        found.set(COUNT, 4)?;
        Ok(format!("{:?}", session.get(COUNT)?))
    }

    let fixture = fixture();
    let app = Router::new()
        .route("/", get(deep))
        .layer(middleware::from_fn(put_back))
        .layer(middleware::from_fn(spawn))
        .layer(fixture.layer().visit_in_extensions());
    let mut browser = Browser::new();
    let (_, text) = visit(&app, &mut browser, "/").await;
    assert_eq!(text, "Some(4)");
    assert_eq!(fixture.count_of(&browser.id().unwrap()).await, Some(4));
}

/// A typed session.
#[derive(Debug)]
struct Account;

impl Account {
    const USER: Key<Self, String> = Key::declare("user");
}

impl Values for Account {}
impl Namespaces for Account {}

fn two_layers(fixture: &Fixture, account: Session<Untyped, Account>) -> impl Fn(Router) -> Router {
    let carrier = CookieCarrier::builder().name("__Host-account").build().unwrap();
    let account = SessionLayer::new(account).carrier(carrier).visit_in_extensions();
    let plain = fixture.layer().visit_in_extensions();
    move |router| router.layer(account.clone()).layer(plain.clone())
}

#[tokio::test]
async fn each_of_several_visits_is_found_by_its_types() {
    async fn both(plain: Writable, account: Writable<Session<Untyped, Account>>) -> Result<String, SessionError> {
        plain.set("kind", "plain")?;
        account.set(Account::USER, "ada")?;
        Ok(format!("{:?} {:?}", plain.get("kind")?, account.get(Account::USER)?))
    }

    async fn other(_: Session<Account, Untyped>) {}

    let fixture = fixture();
    let account: Session<Untyped, Account> = Session::builder(MemoryStorage::new()).build();
    let router = Router::new().route("/both", get(both)).route("/other", get(other));
    let app = two_layers(&fixture, account)(router.layer(middleware::from_fn(spawn)));
    let (response, text) = visit(&app, &mut Browser::new(), "/both").await;
    assert_eq!(text, "Some(String(\"plain\")) Some(\"ada\")");
    assert_eq!(lines(&response, SET_COOKIE).len(), 2);
    let (response, _) = visit(&app, &mut Browser::new(), "/other").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

/// A library does not know the types of the application's sessions.
#[tokio::test]
async fn a_library_finds_the_innermost_session_without_its_types() {
    async fn in_task() -> Result<String, SessionError> {
        let session = Session::innermost().ok_or(SessionError::NotInitialised)?;
        session.start().await?;
        session.set("user", "grace")?;
        let typed: Session<Untyped, Account> = Session::current().ok_or(SessionError::NotInitialised)?;
        Ok(format!("{:?}", typed.get(Account::USER)?))
    }

    async fn in_extensions(request: Request) -> Result<String, SessionError> {
        let visits = request
            .extensions()
            .get::<Visits>()
            .ok_or(SessionError::NotInitialised)?;
        let visit = visits.iter().next().ok_or(SessionError::NotInitialised)?;
        let session = visit.untyped();
        session.start().await?;
        session.set("user", "ada")?;
        let typed: Session<Untyped, Account> = visit.session().ok_or(SessionError::NotInitialised)?;
        let found = typed.get(Account::USER)?;
        Ok(format!("{found:?} {:?}", typed.untyped().get("user")?))
    }

    let fixture = fixture();
    let account: Session<Untyped, Account> = Session::builder(MemoryStorage::new()).build();
    let elsewhere = Router::new()
        .route("/elsewhere", get(in_extensions))
        .layer(middleware::from_fn(spawn));
    let app = two_layers(&fixture, account)(elsewhere.route("/here", get(in_task)));
    assert_eq!(visit(&app, &mut Browser::new(), "/here").await.1, "Some(\"grace\")");
    let (_, text) = visit(&app, &mut Browser::new(), "/elsewhere").await;
    assert_eq!(text, "Some(\"ada\") Some(String(\"ada\"))");
}
