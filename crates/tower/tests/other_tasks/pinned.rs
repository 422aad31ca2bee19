//! Tests a thread pool for futures that are not `Send`, as used for server-side rendering.

use std::cell::Cell;
use std::rc::Rc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use http_body_util::BodyExt as _;
use sessile_core::{Key, Session, SessionError, Untyped};
use sessile_tower::SessionLayer;
use tokio_util::task::LocalPoolHandle;
use tower::ServiceExt as _;

use crate::common::{Browser, COUNT, fixture};

const COMMITTED: Key<Untyped, u64> = Key::new("committed");

/// Reads, updates in one short step, and commits. Holds a value that is not `Send` across all awaits.
async fn work(session: Session) -> Result<String, SessionError> {
    session.start_readonly().await?;
    let steps = Rc::new(Cell::new(session.get(COUNT)?.unwrap_or_default()));
    let count = async || session.update(COUNT, |count| *count += 1);
    session.transaction(count).await?;
    steps.set(steps.get() + 1);
    session.start().await?;
    session.set(COMMITTED, steps.get())?;
    session.close().await?;
    Ok(format!("{:?} {:?}", session.get(COUNT)?, session.get(COMMITTED)?))
}

async fn server_function(State(pool): State<LocalPoolHandle>, request: Request) -> Response {
    let here = std::thread::current().id();
    let answered = pool.spawn_pinned(move || async move {
        assert_ne!(std::thread::current().id(), here);
        let (mut parts, _) = request.into_parts();
        match Session::from_request_parts(&mut parts, &()).await {
            Ok(session) => work(session).await.into_response(),
            Err(missing) => missing.into_response(),
        }
    });
    answered.await.unwrap()
}

async fn visit(layer: SessionLayer, browser: &mut Browser) -> (StatusCode, String) {
    let app = Router::new()
        .route("/", get(server_function))
        .with_state(LocalPoolHandle::new(1))
        .layer(layer);
    let response = app.oneshot(browser.request("/").map(|()| Body::empty())).await.unwrap();
    browser.keep(&response);
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

// Uses real time, as the threads of the pool have their own runtimes. No test waits for it.
#[tokio::test]
async fn a_future_that_is_not_send_reads_updates_and_commits() {
    let fixture = fixture();
    let mut browser = Browser::new();
    for expected in ["Some(1) Some(1)", "Some(2) Some(2)"] {
        let (status, text) = visit(fixture.layer().visit_in_extensions(), &mut browser).await;
        assert_eq!((status, &*text), (StatusCode::OK, expected));
    }
    assert_eq!(fixture.count_of(&browser.id().unwrap()).await, Some(2));
}

#[tokio::test]
async fn without_the_visit_the_response_explains_the_error() {
    let fixture = fixture();
    let (status, text) = visit(fixture.layer(), &mut Browser::new()).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text.contains("runs in another task than the layer"), "{text}");
    assert!(
        text.contains("`SessionLayer::visit_in_extensions` carries it"),
        "{text}"
    );
}
