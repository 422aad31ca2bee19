//! Tests the layer with axum, over real sockets.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/http.rs"]
mod http_client;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::{StreamExt as _, stream};
use http::header::{RETRY_AFTER, SET_COOKIE, VARY};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use sessile_core::{
    InSession as _, Key, Namespaces, Session, SessionError, StorageError, StorageErrorKind, Untyped, Values, Visit,
};
use sessile_tower::{CookieCarrier, MissingSession, SessionLayer};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use self::common::{Browser, COUNT, Fixture, fixture, lines, request_of};
use self::http_client::{open, send};

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn count(session: Session) -> Result<String, SessionError> {
    session.start().await?;
    session.update(COUNT, |count| {
        *count += 1;
        count.to_string()
    })
}

async fn peek(session: Session) -> Result<String, SessionError> {
    session.start_readonly().await?;
    Ok(format!("{:?}", session.get(COUNT)?))
}

async fn fail(session: Session) -> Result<String, SessionError> {
    count(session).await?;
    Err(SessionError::NotStarted)
}

async fn logout(session: Session) -> Result<(), SessionError> {
    session.destroy().await
}

fn router(fixture: &Fixture) -> Router {
    let routes = Router::new()
        .route("/count", post(count))
        .route("/peek", get(peek))
        .route("/fail", post(fail))
        .route("/logout", post(logout))
        .route("/nothing", get(|| async { "nothing" }));
    routes.layer(fixture.layer())
}

fn post_to(browser: &Browser, path: &str) -> Request<()> {
    let mut request = browser.request(path);
    *request.method_mut() = Method::POST;
    request
}

#[tokio::test]
async fn a_browser_counts() {
    let fixture = fixture();
    let server = serve(router(&fixture)).await;
    let mut browser = Browser::new();
    for expected in ["1", "2", "3"] {
        let response = send(server, post_to(&browser, "/count")).await;
        assert_eq!(response.status(), StatusCode::OK);
        browser.keep(&response);
        assert_eq!(response.body(), expected);
    }
    let response = send(server, browser.request("/peek")).await;
    assert_eq!(response.body(), "Some(3)");
    assert_eq!(lines(&response, VARY), ["cookie"]);

    let response = send(server, post_to(&browser, "/fail")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.body(), "the session failed");
    let response = send(server, browser.request("/peek")).await;
    assert_eq!(response.body(), "Some(3)");

    let response = send(server, browser.request("/nothing")).await;
    assert_eq!(lines(&response, VARY), [""; 0]);
    let response = send(server, post_to(&browser, "/logout")).await;
    browser.keep(&response);
    assert_eq!(browser.id(), None);
}

#[tokio::test]
async fn a_response_whose_commit_failed_is_not_sent() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let server = serve(router(&fixture)).await;
    let fault = sessile_testkit::Fault::before(StorageErrorKind::Unavailable);
    fixture.faults.fail_next(sessile_testkit::Operation::Commit, fault);
    let mut request = request_of(&id, "/count");
    *request.method_mut() = Method::POST;
    let response = send(server, request).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.body(), "the session is not available");
    assert_eq!(lines(&response, RETRY_AFTER), ["1"]);
    assert_eq!(fixture.count_of(&id).await, Some(1));
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_the_session_unlocked() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let at_work = Arc::new(Notify::new());
    let working = Arc::clone(&at_work);
    let hang = move |session: Session| async move {
        session.start().await?;
        session.set(COUNT, 100)?;
        working.notify_one();
        std::future::pending::<Result<(), SessionError>>().await
    };
    let server = serve(Router::new().route("/hang", get(hang)).layer(fixture.layer())).await;
    let client = tokio::spawn(send(server, request_of(&id, "/hang")));
    at_work.notified().await;
    client.abort();
    let _ = client.await;
    assert_eq!(fixture.count_of(&id).await, Some(1));
}

#[tokio::test]
async fn a_body_streams_inside_the_session() {
    let fixture = fixture();
    let id = fixture.stored(0).await;
    let (go_on, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (going, starts) = (Arc::clone(&go_on), Arc::clone(&go));
    let streaming = move |session: Session| async move {
        session.start_readonly().await?;
        let handle = session.handle()?;
        let chunks = stream::iter(1..=3).then(move |_| {
            let (session, going, starts) = (session.clone(), Arc::clone(&going), Arc::clone(&starts));
            async move {
                going.notified().await;
                let update = session.transaction(async || {
                    session.update(COUNT, |count| {
                        *count += 1;
                        *count
                    })
                });
                let count = update.await?;
                starts.notify_one();
                Ok::<_, SessionError>(Bytes::from(format!("{count};")))
            }
        });
        Ok::<_, SessionError>(Body::from_stream(chunks.in_session(&handle)))
    };
    let server = serve(Router::new().route("/stream", get(streaming)).layer(fixture.layer())).await;
    // The head arrives before the first chunk is produced.
    let mut response = open(server, request_of(&id, "/stream")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(fixture.count_of(&id).await, Some(0));
    let mut text = String::new();
    for count in 1..=3 {
        go_on.notify_one();
        go.notified().await;
        assert_eq!(fixture.count_of(&id).await, Some(count));
        let frame = response.body_mut().frame().await.unwrap().unwrap();
        text += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
    }
    assert_eq!(text, "1;2;3;");
}

#[tokio::test]
async fn without_a_layer_the_extractor_explains_the_remedy() {
    let server = serve(Router::new().route("/peek", get(peek))).await;
    let response = send(server, common::request("/peek")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(response.body().contains("`SessionLayer`"), "{}", response.body());
    assert!(response.body().contains("another task"), "{}", response.body());
    assert!(!response.body().contains("Untyped"), "{}", response.body());
}

/// A typed session, to distinguish it from the untyped one.
#[derive(Debug)]
struct Account;

impl Account {
    const USER: Key<Self, String> = Key::declare("user");
}

impl Values for Account {}
impl Namespaces for Account {}

#[tokio::test]
async fn the_extractor_finds_the_session_of_its_type() {
    async fn both(plain: Session, account: Session<Untyped, Account>) -> Result<String, SessionError> {
        plain.start().await?;
        account.start().await?;
        plain.set("kind", "plain")?;
        account.set(Account::USER, "ada")?;
        Ok(format!("{:?} {:?}", plain.get("kind")?, account.get(Account::USER)?))
    }

    async fn other(result: Result<Session<Account, Untyped>, MissingSession>) -> String {
        result.map(|_| ()).unwrap_err().to_string()
    }

    let fixture = fixture();
    let account: Session<Untyped, Account> = Session::builder(sessile_memory::MemoryStorage::new()).build();
    let carrier = CookieCarrier::builder().name("__Host-account").build().unwrap();
    let app = Router::new().route("/both", get(both)).route("/other", get(other));
    let app = app
        .layer(SessionLayer::new(account).carrier(carrier))
        .layer(fixture.layer());
    let server = serve(app).await;
    let response = send(server, common::request("/both")).await;
    assert_eq!(response.body(), "Some(String(\"plain\")) Some(\"ada\")");
    assert_eq!(lines(&response, SET_COOKIE).len(), 2);
    let response = send(server, common::request("/other")).await;
    assert!(response.body().contains("Account, "), "{}", response.body());
}

#[tokio::test]
async fn errors_become_responses_without_secrets() {
    use StorageErrorKind::{Corrupt, Timeout};
    let storage = |kind| SessionError::Storage(StorageError::new(kind, "commit", "secret-storage"));
    let session: Session = Session::builder(sessile_memory::MemoryStorage::new()).build();
    let codec = session.enter(Visit::new(), async {
        session.set("secret", "secret")?;
        session.get(Key::<Untyped, bool>::new("secret"))
    });
    let codec = codec.await.unwrap_err();
    for (error, status, retry) in [
        (SessionError::Gone, 409, false),
        (SessionError::Unknown, 403, false),
        (SessionError::Superseded, 409, false),
        (SessionError::LockTimeout, 503, true),
        (SessionError::LockLost, 503, true),
        (SessionError::TooManyWaiters, 503, true),
        (storage(Timeout), 503, true),
        (storage(Corrupt), 503, false),
        (SessionError::NotStarted, 500, false),
        (codec, 500, false),
    ] {
        let shown = format!("{error:?}");
        let response: Response = error.into_response();
        assert_eq!(response.status(), status, "{shown}");
        assert_eq!(response.headers().contains_key(RETRY_AFTER), retry, "{shown}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(!body.is_empty());
        assert!(!String::from_utf8_lossy(&body).contains("secret"), "{shown}");
    }
}

/// A router accepts the layer wherever it accepts others.
#[tokio::test]
async fn the_layer_wraps_routes_or_their_services() {
    let fixture = fixture();
    let route = get(count).layer(fixture.layer());
    let service = tower::service_fn(async |_: Request<Body>| Ok::<_, Infallible>("inside".into_response()));
    let app: Router = Router::new()
        .route("/route", route)
        .nest_service("/service", tower::Layer::layer(&fixture.layer(), service));
    let server = serve(app).await;
    assert_eq!(send(server, common::request("/route")).await.body(), "1");
    assert_eq!(send(server, common::request("/service")).await.body(), "inside");
}
