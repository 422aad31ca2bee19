//! Tests sessions that the layer starts before it calls the handler.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{RETRY_AFTER, SET_COOKIE, VARY};
use http::{Request, Response, StatusCode};
use sessile_core::{AutoStart, Session, SessionError, SessionId, StorageErrorKind};
use sessile_testkit::{Fault, Operation};
use tower::{Layer, Service, ServiceExt};

use self::common::{Fixture, fixture_with, lines, request, request_of};

/// Responds synchronously, counts its calls, and panics if this very clone is not ready.
struct Careful {
    session: Session,
    calls: Arc<AtomicUsize>,
    is_ready: bool,
}

impl Clone for Careful {
    fn clone(&self) -> Self {
        Self {
            session: self.session.clone(),
            calls: Arc::clone(&self.calls),
            is_ready: false,
        }
    }
}

impl Service<Request<()>> for Careful {
    type Response = Response<String>;
    type Error = SessionError;
    type Future = Ready<Result<Response<String>, SessionError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "it is called only when it is ready");
        self.calls.fetch_add(1, Ordering::SeqCst);
        let count = || {
            if self.session.is_writable() {
                self.session.update(common::COUNT, |count| *count += 1)?;
            }
            Ok(Response::new(format!("{:?}", self.session.get(common::COUNT)?)))
        };
        ready(count())
    }
}

fn careful(fixture: &Fixture) -> (Careful, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let service = Careful {
        session: fixture.session.clone(),
        calls: Arc::clone(&calls),
        is_ready: false,
    };
    (service, calls)
}

fn fixture_with_auto_start(auto_start: AutoStart) -> Fixture {
    fixture_with(|builder| builder.auto_start(auto_start))
}

async fn stored(fixture: &Fixture) -> SessionId {
    let (service, _) = careful(fixture);
    let mut browser = common::Browser::new();
    let response = fixture.layer().layer(service).oneshot(request("/")).await.unwrap();
    browser.keep(&response);
    browser.id().expect("it is stored")
}

#[tokio::test]
async fn an_exclusive_start_comes_before_the_handler_and_a_commit_after_it() {
    let fixture = fixture_with_auto_start(AutoStart::Exclusive);
    let id = stored(&fixture).await;
    let (service, calls) = careful(&fixture);
    let mut service = fixture.layer().layer(service);
    fixture.calls.reset();
    // Polls and calls the same service repeatedly.
    for expected in ["Some(2)", "Some(3)"] {
        let response = service.ready().await.unwrap().call(request_of(&id, "/")).await.unwrap();
        assert_eq!(lines(&response, VARY), ["cookie"]);
        assert_eq!(response.into_body().into_inner().unwrap(), expected);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert_eq!(fixture.calls.take(), [(Operation::Lock, 2), (Operation::Commit, 2)]);
}

#[tokio::test]
async fn a_read_only_start_takes_no_lock() {
    let fixture = fixture_with_auto_start(AutoStart::ReadOnly);
    let (service, _) = careful(&fixture);
    let service = fixture.layer().layer(service);
    let response = service.clone().oneshot(request("/")).await.unwrap();
    fixture.calls.assert_none();
    assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
    assert_eq!(response.into_body().into_inner().unwrap(), "None");

    let unknown = SessionId::parse("0123456789abcdef").unwrap();
    let response = service.oneshot(request_of(&unknown, "/")).await.unwrap();
    assert_eq!(
        lines(&response, SET_COOKIE),
        [""; 0],
        "the cookie may be that of another"
    );
    assert_eq!(fixture.calls.take(), [(Operation::Read, 1)]);
}

#[tokio::test]
async fn a_handler_whose_session_cannot_be_started_is_not_called() {
    let fixture = fixture_with_auto_start(AutoStart::Exclusive);
    let id = stored(&fixture).await;
    for (kind, retry) in [(StorageErrorKind::Unavailable, true), (StorageErrorKind::Denied, false)] {
        let (service, calls) = careful(&fixture);
        let service = fixture.layer().layer(service);
        fixture.faults.fail_next(Operation::Lock, Fault::before(kind));
        let response = service.oneshot(request_of(&id, "/")).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers().contains_key(RETRY_AFTER), retry);
        assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
        assert_eq!(calls.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn a_failed_start_goes_through_on_error() {
    let fixture = fixture_with_auto_start(AutoStart::Exclusive);
    let id = stored(&fixture).await;
    let layer = fixture.layer().on_error(|_, error| {
        let mut response = Response::new(Bytes::from(error.to_string()));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        Some(response)
    });
    fixture
        .faults
        .fail_next(Operation::Lock, Fault::before(StorageErrorKind::Unavailable));
    let response = layer
        .layer(careful(&fixture).0)
        .oneshot(request_of(&id, "/"))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);

    // If `on_error` returns `None`, the layer responds as to any failure.
    let layer = fixture.layer().on_error(|_, _| None);
    fixture
        .faults
        .fail_next(Operation::Lock, Fault::before(StorageErrorKind::Gone));
    let response = layer
        .layer(careful(&fixture).0)
        .oneshot(request_of(&id, "/"))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::CONFLICT);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_synchronous_part_leaves_the_session_as_it_was_and_unlocked() {
    #[derive(Clone)]
    struct Panicking(Session);

    impl Service<Request<()>> for Panicking {
        type Response = Response<String>;
        type Error = SessionError;
        type Future = Ready<Result<Response<String>, SessionError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            self.0.set(common::COUNT, 100).expect("the session is writable");
            panic!("the service panics");
        }
    }

    let fixture = fixture_with_auto_start(AutoStart::Exclusive);
    let id = stored(&fixture).await;
    let service = fixture.layer().layer(Panicking(fixture.session.clone()));
    let response = AssertUnwindSafe(service.oneshot(request_of(&id, "/")));
    assert!(response.catch_unwind().await.is_err());
    let response = fixture
        .layer()
        .layer(careful(&fixture).0)
        .oneshot(request_of(&id, "/"))
        .await
        .unwrap();
    assert_eq!(response.into_body().into_inner().unwrap(), "Some(2)");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_gives_up_waiting_leaves_nothing_behind() {
    let fixture = fixture_with_auto_start(AutoStart::Exclusive);
    let id = stored(&fixture).await;
    let hanging = fixture.serve(async |_| std::future::pending().await);
    let holder = tokio::spawn(hanging.oneshot(request_of(&id, "/")));
    tokio::task::yield_now().await;

    let (service, calls) = careful(&fixture);
    let service = fixture.layer().layer(service);
    let waiting = service.clone().oneshot(request_of(&id, "/"));
    assert!(tokio::time::timeout(Duration::from_millis(500), waiting).await.is_err());
    let response = service.clone().oneshot(request_of(&id, "/")).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key(RETRY_AFTER));
    assert_eq!(calls.load(Ordering::SeqCst), 0);

    holder.abort();
    let _ = holder.await;
    let response = service.oneshot(request_of(&id, "/")).await.unwrap();
    assert_eq!(response.into_body().into_inner().unwrap(), "Some(2)");
}
