//! Tests services behind a buffer, whose worker task calls the service.

use std::convert::Infallible;
use std::future::{self, Ready};

use axum::body::Body;
use axum::extract::{FromRequestParts as _, Request};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use http::StatusCode;
use http_body_util::BodyExt as _;
use sessile_core::{AutoStart, Session, SessionError, Visits};
use sessile_tower::SessionLayer;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::common::{Browser, COUNT, Fixture, fixture_with};

/// Does all of its work in `call`; its future only returns the response.
type Work = fn(Request) -> Response;

fn fixture() -> Fixture {
    // Code that cannot wait needs a session that the layer has started.
    fixture_with(|builder| builder.auto_start(AutoStart::Exclusive))
}

async fn visit(layer: SessionLayer, work: Work, browser: &mut Browser) -> (StatusCode, String) {
    let answer_at_once = move |request| -> Ready<Result<_, Infallible>> { future::ready(Ok(work(request))) };
    let app = layer.layer(tower::buffer::Buffer::new(service_fn(answer_at_once), 4));
    let request = browser.request("/").map(|()| Body::empty());
    let response = app.oneshot(request).await.unwrap();
    browser.keep(&response);
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

/// Counts in the session, or responds with the report of the error.
fn count_in(session: Result<Session, SessionError>) -> Response {
    let counted = session.and_then(|session| {
        session.update(COUNT, |count| {
            *count += 1;
            *count
        })
    });
    match counted {
        Ok(count) => count.to_string().into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.report().to_string()).into_response(),
    }
}

fn by_the_visits(request: Request) -> Response {
    let visits = request.extensions().get::<Visits>();
    count_in(visits.and_then(Visits::session).ok_or(SessionError::NotInitialised))
}

fn by_the_extractor(request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let extracted = Session::from_request_parts(&mut parts, &()).now_or_never();
    match extracted.expect("it waits for nothing") {
        Ok(session) => count_in(Ok(session)),
        Err(missing) => missing.into_response(),
    }
}

/// A session that is bound in the worker is bound to the visit.
fn by_another_thread(request: Request) -> Response {
    let visits = request.extensions().get::<Visits>();
    let session = visits.and_then(Visits::session).ok_or(SessionError::NotInitialised);
    let bound = session.and_then(|session: Session| session.bind());
    std::thread::spawn(move || count_in(bound)).join().unwrap()
}

#[tokio::test(start_paused = true)]
async fn work_in_the_call_finds_its_session() {
    let ways: [(&str, Work); 3] = [
        ("visits", by_the_visits),
        ("extractor", by_the_extractor),
        ("thread", by_another_thread),
    ];
    for (name, work) in ways {
        let fixture = fixture();
        let mut browser = Browser::new();
        for expected in ["1", "2"] {
            let (status, text) = visit(fixture.layer().visit_in_extensions(), work, &mut browser).await;
            assert_eq!((status, &*text), (StatusCode::OK, expected), "{name}");
        }
        assert_eq!(fixture.count_of(&browser.id().unwrap()).await, Some(2), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_visit_the_extractor_explains_the_error() {
    let (status, text) = visit(fixture().layer(), by_the_extractor, &mut Browser::new()).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text.contains("runs in another task than the layer"), "{text}");
    assert!(
        text.contains("`SessionLayer::visit_in_extensions` carries it"),
        "{text}"
    );
}

/// The worker has no visit to a session that was cloned into the service.
#[tokio::test(start_paused = true)]
async fn without_the_visit_the_error_explains_itself() {
    let fixture = fixture();
    let session = fixture.session.clone();
    let count = move |_: Request| -> Ready<Result<_, Infallible>> { future::ready(Ok(count_in(Ok(session.clone())))) };
    let app = fixture.layer().layer(tower::buffer::Buffer::new(service_fn(count), 4));
    let response = app
        .oneshot(Browser::new().request("/").map(|()| Body::empty()))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains("used outside of a context"), "{text}");
    assert!(text.contains("in the task of its visit"), "{text}");
    assert!(text.contains("`SessionLayer::visit_in_extensions`"), "{text}");
}
