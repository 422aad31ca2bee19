//! Tests the events for operators when the session of a request failed.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/log.rs"]
mod log;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use sessile_core::{Key, Session, SessionError, StorageErrorKind, Untyped, Visit};
use sessile_testkit::{Fault, Operation};
use sessile_tower::{Readable, Writable};
use tower::ServiceExt as _;

use self::common::{Fixture, ask, fixture, request_of};
use self::log::Log;

/// Returns the events of a future.
async fn logged<T>(future: impl Future<Output = T>) -> (T, Vec<String>) {
    let log = Log::default();
    let guard = tracing::subscriber::set_default(log.clone());
    let output = future.await;
    drop(guard);
    (output, log.containing(""))
}

#[tokio::test]
async fn a_replaced_response_is_logged_with_the_error_and_no_id() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    fixture
        .faults
        .fail_next(Operation::Commit, Fault::before(StorageErrorKind::Denied));
    let app = fixture.app();
    let asked = logged(async {
        ask(&app, request_of(&id, "/count")).await;
        ask(&app, request_of(&id, "/count")).await;
    });
    let log = asked.await.1;
    let refused: Vec<_> = log.iter().filter(|line| line.contains("request refused")).collect();
    assert_eq!(refused.len(), 1, "{log:?}");
    assert!(refused[0].starts_with("WARN sessile: "), "{log:?}");
    assert!(refused[0].contains("commit: the storage refuses access"), "{log:?}");
    assert!(!log.concat().contains(&id.expose()[..8]), "{log:?}");
}

#[tokio::test]
async fn a_failed_release_is_logged() {
    for path in ["/count-and-500", "/only-start"] {
        let fixture = fixture();
        let id = fixture.stored(1).await;
        fixture
            .faults
            .fail_next(Operation::Release, Fault::before(StorageErrorKind::Unavailable));
        let app = fixture.app();
        let (_, log) = logged(ask(&app, request_of(&id, path))).await;
        let warned: Vec<_> = log.iter().filter(|line| line.starts_with("WARN sessile: ")).collect();
        assert_eq!(warned.len(), 1, "{path}: {log:?}");
        assert!(warned[0].contains("cannot be reached"), "{path}: {log:?}");
    }
}

/// An axum application whose handlers return the errors of their session.
fn careless(fixture: &Fixture) -> Router {
    async fn forgets_to_start(session: Session) -> Result<(), SessionError> {
        session.set("secret", "value")
    }

    async fn writes_while_reading(session: Readable) -> Result<(), SessionError> {
        session.set("secret", "value")
    }

    async fn spawns(session: Session) -> Result<(), SessionError> {
        tokio::spawn(async move { session.start().await }).await.unwrap()
    }

    async fn starts(_: Writable) -> &'static str {
        "started"
    }

    async fn reads_another_type(session: Readable) -> Result<String, SessionError> {
        const WRONG: Key<Untyped, Vec<u64>> = Key::new("word");
        Ok(format!("{:?}", session.get(WRONG)?))
    }

    async fn ended(session: Session) -> Result<(), SessionError> {
        session.destroy().await?;
        Err(SessionError::Gone)
    }

    Router::new()
        .route("/forgets-to-start", get(forgets_to_start))
        .route("/writes-while-reading", get(writes_while_reading))
        .route("/spawns", get(spawns))
        .route("/starts", get(starts))
        .route("/reads-another-type", get(reads_another_type))
        .route("/ended", get(ended))
        .layer(fixture.layer())
}

#[tokio::test]
async fn an_error_that_a_handler_returns_is_logged_once_with_its_remedy() {
    let fixture = fixture();
    let session = &fixture.session;
    let stored = session.enter(Visit::new(), async {
        session.set("word", "secret-value")?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    });
    let id = stored.await.unwrap().output;
    let app = careless(&fixture);
    for (path, status, level, says) in [
        (
            "/forgets-to-start",
            500,
            "ERROR",
            &["was not started", "call `session.start().await?` first"][..],
        ),
        (
            "/writes-while-reading",
            500,
            "ERROR",
            &["not locked for writing", "`session.transaction(..)`"],
        ),
        (
            "/spawns",
            500,
            "ERROR",
            &["outside of a context", "`session.handle()?`"],
        ),
        (
            "/starts",
            503,
            "WARN",
            &["lock: the storage cannot be reached", "check that the storage is up"],
        ),
        (
            "/reads-another-type",
            500,
            "ERROR",
            &["`word`", "declare the value with the type"],
        ),
        ("/ended", 409, "DEBUG", &["the session is gone"]),
    ] {
        if path == "/starts" {
            fixture
                .faults
                .fail_next(Operation::Lock, Fault::before(StorageErrorKind::Unavailable));
        }
        let request = request_of(&id, path).map(|()| Body::empty());
        let (response, log) = logged(app.clone().oneshot(request)).await;
        assert_eq!(response.unwrap().status(), status, "{path}");
        let lines: Vec<_> = log
            .iter()
            .filter(|line| line.contains("handler returned an error"))
            .collect();
        assert_eq!(lines.len(), 1, "{path}: {log:?}");
        assert!(lines[0].starts_with(level), "{path}: {log:?}");
        for part in says {
            assert!(lines[0].contains(part), "{path}: {log:?}");
        }
        let all = log.concat();
        assert!(
            !all.contains("secret-value") && !all.contains(&id.expose()[..8]),
            "{path}: {log:?}"
        );
    }
}

#[tokio::test]
async fn a_missing_layer_is_logged_with_the_types_of_the_session() {
    async fn wants(_: Session) {}
    let app: Router = Router::new().route("/", get(wants));
    let (response, log) = logged(app.oneshot(Request::new(Body::empty()))).await;
    assert_eq!(response.unwrap().status(), 500);
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].starts_with("ERROR sessile: "), "{log:?}");
    assert!(log[0].contains("Untyped"), "{log:?}");
    assert!(log[0].contains("`SessionLayer::visit_in_extensions`"), "{log:?}");
}
