//! Tests whether the layer forwards a response or replaces it.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, COOKIE, RETRY_AFTER, SET_COOKIE, VARY};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use sessile_core::{AutoStart, Session, SessionError, StorageErrorKind};
use sessile_testkit::{Fault, Operation};
use sessile_tower::SessionLayer;
use tokio::sync::Notify;
use tower::ServiceExt as _;

use self::common::{AppResponse, COUNT, Fixture, ask, fixture, fixture_with, lines, request, request_of, text};

/// Reads the whole body of a response, forwarded or replaced.
async fn read(response: AppResponse) -> String {
    let bytes = response
        .into_body()
        .collect()
        .await
        .expect("the body has no errors")
        .to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn changes_are_stored_before_the_head_is_sent() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    fixture.calls.reset();
    let response = ask(&fixture.app(), request_of(&id, "/count")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(fixture.calls.take(), [(Operation::Lock, 1), (Operation::Commit, 1)]);
    assert_eq!(text(response), "2");
    assert_eq!(fixture.count_of(&id).await, Some(2));
}

#[tokio::test]
async fn fifty_requests_at_once_count_to_fifty() {
    let fixture = fixture_with(|builder| builder.lock_wait(Duration::from_secs(60)));
    let id = fixture.stored(0).await;
    let app = fixture.app();
    let visits = (0..50).map(|_| tokio::spawn(app.clone().oneshot(request_of(&id, "/count"))));
    for visit in visits.collect::<Vec<_>>() {
        assert_eq!(visit.await.unwrap().unwrap().status(), StatusCode::OK);
    }
    assert_eq!(fixture.count_of(&id).await, Some(50));
}

#[tokio::test(start_paused = true)]
async fn a_server_error_leaves_the_session_as_it_was() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let response = ask(&fixture.app(), request_of(&id, "/count-and-500")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
    assert_eq!(lines(&response, VARY), ["cookie"]);
    assert_eq!(text(response), "2");
    assert_eq!(fixture.count_of(&id).await, Some(1));
}

#[tokio::test]
async fn a_server_error_stores_no_new_session() {
    let fixture = fixture();
    let response = ask(&fixture.app(), request("/count-and-500")).await;
    assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
    fixture.calls.assert_none();
}

#[tokio::test]
async fn a_client_error_commits_like_a_success() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let response = ask(&fixture.app(), request_of(&id, "/count-and-404")).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(fixture.count_of(&id).await, Some(2));
}

#[tokio::test]
async fn commit_when_decides_what_is_kept() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let never = fixture.app_behind(
        fixture
            .layer()
            .commit_when(|_, parts| parts.status == StatusCode::CREATED),
    );
    ask(&never, request_of(&id, "/count")).await;
    assert_eq!(fixture.count_of(&id).await, Some(1));
    let always = fixture.app_behind(fixture.layer().commit_when(|_, _| true));
    ask(&always, request_of(&id, "/count-and-500")).await;
    assert_eq!(fixture.count_of(&id).await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_service_is_forwarded_and_leaves_the_session_as_it_was() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let response = fixture.app().oneshot(request_of(&id, "/count-and-fail")).await;
    assert!(matches!(response, Err(SessionError::NotWritable)));
    assert_eq!(fixture.count_of(&id).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_leaves_the_session_as_it_was_and_unlocked() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let response = fixture.app().oneshot(request_of(&id, "/count-and-panic"));
    assert!(AssertUnwindSafe(response).catch_unwind().await.is_err());
    assert_eq!(fixture.count_of(&id).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_request_leaves_the_session_as_it_was_and_unlocked() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let response = fixture.app().oneshot(request_of(&id, "/count-and-hang"));
    assert!(tokio::time::timeout(Duration::from_secs(1), response).await.is_err());
    assert_eq!(fixture.count_of(&id).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_request_dropped_while_it_waits_for_the_lock_leaves_nothing() {
    let fixture = fixture_with(|builder| builder.lock_wait(Duration::from_secs(20)));
    let id = fixture.stored(1).await;
    let app = fixture.app();
    let holder = tokio::spawn(app.clone().oneshot(request_of(&id, "/count-and-hang")));
    tokio::task::yield_now().await;
    let waiter = app.oneshot(request_of(&id, "/count"));
    assert!(tokio::time::timeout(Duration::from_secs(1), waiter).await.is_err());
    holder.abort();
    assert_eq!(fixture.count_of(&id).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_never_completes_is_never_shown() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    fixture.faults.fail_next(Operation::Commit, Fault::hang_before());
    let response = fixture.app().oneshot(request_of(&id, "/count"));
    assert!(tokio::time::timeout(Duration::from_secs(5), response).await.is_err());
    assert_eq!(fixture.count_of(&id).await, Some(1));
}

/// Sends a request that sets a value, and destroys its session before the response.
async fn lose_a_change(fixture: &Fixture, layer: SessionLayer) -> AppResponse {
    let id = fixture.stored(1).await;
    let (at_work, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (working, going) = (Arc::clone(&at_work), Arc::clone(&go_on));
    let app = fixture.serve_behind(layer, move |session| {
        let (working, going) = (Arc::clone(&working), Arc::clone(&going));
        async move {
            session.start().await?;
            session.set(COUNT, 7)?;
            working.notify_one();
            going.notified().await;
            Ok(Response::new("tea is in your cart".to_owned()))
        }
    });
    let slow = tokio::spawn(app.oneshot(request_of(&id, "/")));
    at_work.notified().await;
    fixture.destroy(&id).await;
    go_on.notify_one();
    let response = slow.await.unwrap().unwrap();
    assert_eq!(fixture.count_of(&id).await, None);
    response
}

#[tokio::test]
async fn a_change_that_was_lost_is_a_conflict_and_the_cookie_is_left_alone() {
    let fixture = fixture();
    let response = lose_a_change(&fixture, fixture.layer()).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
    assert_eq!(lines(&response, CACHE_CONTROL), ["no-store"]);
    assert_eq!(lines(&response, VARY), ["cookie"]);
    assert_eq!(read(response).await, "the session has ended");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_extended_and_then_ended_is_a_conflict_too() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    // Long enough for the sliding expiration to move, and with it the lifetime of the cookie.
    tokio::time::advance(Duration::from_secs(3600)).await;
    fixture
        .faults
        .fail_next(Operation::Commit, Fault::before(StorageErrorKind::Gone));
    let response = ask(&fixture.app(), request_of(&id, "/count")).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
}

/// A timeout layer inside responds with 408, wherever the handler was.
#[tokio::test(start_paused = true)]
async fn a_handler_that_was_cut_off_leaves_the_session_as_it_was() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let response = ask(&fixture.app(), request_of(&id, "/count-and-408")).await;
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(text(response), "2");
    assert_eq!(fixture.count_of(&id).await, Some(1));
}

#[tokio::test]
async fn a_session_that_moved_away_is_a_conflict_and_its_cookie_is_left_alone() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    fixture
        .faults
        .fail_next(Operation::Commit, Fault::before(StorageErrorKind::Superseded));
    let response = ask(&fixture.app(), request_of(&id, "/count")).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
    assert_eq!(lines(&response, CACHE_CONTROL), ["no-store"]);
    assert_eq!(lines(&response, VARY), ["cookie"]);
    assert_eq!(read(response).await, "the session has moved to another id");
}

#[tokio::test]
async fn other_failures_to_close_are_503() {
    use StorageErrorKind::{Corrupt, Denied, Full, LockLost, Timeout, Unavailable};
    let fixture = fixture();
    for (kind, retry) in [
        (Unavailable, true),
        (Timeout, true),
        (LockLost, true),
        (Denied, false),
        (Full, false),
        (Corrupt, false),
    ] {
        let id = fixture.stored(1).await;
        fixture.faults.fail_next(Operation::Commit, Fault::before(kind));
        let response = ask(&fixture.app(), request_of(&id, "/count")).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{kind:?}");
        assert_eq!(response.headers().contains_key(RETRY_AFTER), retry, "{kind:?}");
        assert_eq!(lines(&response, SET_COOKIE), [""; 0], "{kind:?}");
        assert_eq!(read(response).await, "the session is not available", "{kind:?}");
        assert_eq!(fixture.count_of(&id).await, Some(1), "{kind:?}");
    }
}

#[tokio::test]
async fn a_mistake_of_the_application_is_a_500() {
    let fixture = fixture_with(|builder| builder.max_record_bytes(100));
    let id = fixture.stored(1).await;
    let app = fixture.serve(async |session: Session| {
        session.start().await?;
        session.set("half", "x".repeat(60))?;
        session.set("other half", "x".repeat(60))?;
        Ok(Response::new(String::new()))
    });
    let response = ask(&app, request_of(&id, "/")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!response.headers().contains_key(RETRY_AFTER));
    assert_eq!(read(response).await, "the session failed");
    assert_eq!(fixture.count_of(&id).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_busy_is_a_503_that_says_so() {
    let fixture = fixture_with(|builder| builder.auto_start(AutoStart::Exclusive));
    let id = fixture.stored(1).await;
    let app = fixture.app();
    let holder = tokio::spawn(app.clone().oneshot(request_of(&id, "/count-and-hang")));
    tokio::task::yield_now().await;
    let response = ask(&app, request_of(&id, "/count")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(lines(&response, RETRY_AFTER), ["1"]);
    assert_eq!(read(response).await, "the session is busy");
    holder.abort();
}

#[tokio::test]
async fn no_cookie_is_set_for_a_session_that_could_not_be_stored() {
    let fixture = fixture();
    fixture
        .faults
        .fail_next(Operation::Create, Fault::before(StorageErrorKind::Unavailable));
    let response = ask(&fixture.app(), request("/count")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
}

#[tokio::test]
async fn no_cookie_is_set_for_a_new_id_that_could_not_be_stored() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    fixture
        .faults
        .fail_next(Operation::Rotate, Fault::before(StorageErrorKind::Unavailable));
    let response = ask(&fixture.app(), request_of(&id, "/login")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
    assert_eq!(fixture.count_of(&id).await, Some(1));
}

#[tokio::test]
async fn a_lock_that_cannot_be_released_does_not_delay_the_response() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    fixture
        .faults
        .fail_next(Operation::Release, Fault::before(StorageErrorKind::Unavailable));
    let response = ask(&fixture.app(), request_of(&id, "/count-and-500")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(text(response), "2");
}

/// Nothing was written, and nothing is lost: the lock ends with its lease.
#[tokio::test]
async fn a_lock_that_cannot_be_released_fails_no_request_without_changes() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    fixture
        .faults
        .fail_next(Operation::Release, Fault::before(StorageErrorKind::Unavailable));
    let response = ask(&fixture.app(), request_of(&id, "/only-start")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response), "started");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_be_extended_can_still_be_read() {
    let fixture = fixture();
    for (path, expected) in [("/peek", "Some(1)"), ("/only-start", "started"), ("/count", "2")] {
        let id = fixture.stored(1).await;
        // Long enough for the sliding expiration to move.
        tokio::time::advance(Duration::from_secs(3600)).await;
        fixture
            .faults
            .fail_always(Operation::Touch, Fault::before(StorageErrorKind::Unavailable));
        let response = ask(&fixture.app(), request_of(&id, path)).await;
        fixture.faults.clear();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(text(response), expected, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_passive_request_extends_nothing() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let layer = fixture
        .layer()
        .passive_when(|request| request.uri.query() == Some("poll"));
    let app = fixture.app_behind(layer);
    tokio::time::advance(Duration::from_secs(3600)).await;
    fixture.calls.reset();
    ask(&app, request_of(&id, "/peek?poll")).await;
    assert_eq!(fixture.calls.take(), [(Operation::Read, 1)]);
    ask(&app, request_of(&id, "/peek")).await;
    assert_eq!(fixture.calls.take(), [(Operation::Read, 1), (Operation::Touch, 1)]);
}

/// The layer remembers a failed close even if the handler ignores it.
#[tokio::test]
async fn a_close_whose_failure_was_ignored_is_no_success() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    fixture
        .faults
        .fail_next(Operation::Commit, Fault::before(StorageErrorKind::LockLost));
    let response = ask(&fixture.app(), request_of(&id, "/count-and-ignore-close")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(lines(&response, RETRY_AFTER), ["1"]);
    assert_eq!(fixture.count_of(&id).await, Some(1));
}

/// Covers a service that speaks gRPC-Web itself, and one whose session the layer starts.
#[tokio::test]
async fn clients_of_grpc_web_get_their_own_content_type() {
    for kind in [
        "application/grpc",
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpc-web-text",
    ] {
        let check = |response: AppResponse, status: &str| {
            assert_eq!(response.status(), StatusCode::OK, "{kind}");
            assert_eq!(lines(&response, CONTENT_TYPE), [kind]);
            assert_eq!(
                lines(&response, HeaderName::from_static("grpc-status")),
                [status],
                "{kind}"
            );
            assert!(response.body().is_end_stream(), "{kind}");
        };
        let fixture = fixture();
        let id = fixture.stored(1).await;
        let app = fixture.serve(move |session| async move {
            session.start().await?;
            session.set(COUNT, 7)?;
            let response = Response::builder().header(CONTENT_TYPE, kind);
            Ok(response.body("frames".to_owned()).unwrap())
        });
        for (fault, status) in [
            (StorageErrorKind::Superseded, "10"),
            (StorageErrorKind::Gone, "10"),
            (StorageErrorKind::LockLost, "14"),
            (StorageErrorKind::Denied, "13"),
        ] {
            fixture.faults.fail_next(Operation::Commit, Fault::before(fault));
            check(ask(&app, request_of(&id, "/")).await, status);
        }

        let fixture = fixture_with(|builder| builder.auto_start(AutoStart::ReadOnly));
        let id = fixture.stored(1).await;
        fixture
            .faults
            .fail_next(Operation::Read, Fault::before(StorageErrorKind::Unavailable));
        let mut request = request_of(&id, "/nothing");
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        check(ask(&fixture.app(), request).await, "14");
    }
}

#[tokio::test]
async fn on_error_chooses_the_response() {
    let fixture = fixture();
    let layer = fixture.layer().on_error(|_, error| {
        let text = match error {
            SessionError::Superseded => "superseded",
            SessionError::Gone => "gone",
            SessionError::Storage(_) => "storage",
            _ => return None,
        };
        let mut response = Response::new(Bytes::from_static(text.as_bytes()));
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
        Some(response)
    });
    let app = fixture.app_behind(layer);
    for (kind, status, expected) in [
        (StorageErrorKind::Superseded, 418, "superseded"),
        (StorageErrorKind::Gone, 418, "gone"),
        (StorageErrorKind::Denied, 418, "storage"),
        (StorageErrorKind::LockLost, 503, "the session is not available"),
    ] {
        let id = fixture.stored(1).await;
        fixture.faults.fail_next(Operation::Commit, Fault::before(kind));
        let response = ask(&app, request_of(&id, "/count")).await;
        assert_eq!(response.status(), status, "{kind:?}");
        assert_eq!(lines(&response, CACHE_CONTROL), ["no-store"], "{kind:?}");
        let removed = lines(&response, SET_COOKIE).len();
        assert_eq!(removed, 0, "{kind:?}");
        assert_eq!(read(response).await, expected, "{kind:?}");
    }
}

/// Returns the final `Cache-Control`, given that of the handler.
async fn cached(fixture: &Fixture, layer: SessionLayer, given: &'static str, request: Request<()>) -> Vec<String> {
    let app = fixture.serve_behind(layer, move |session: Session| async move {
        session.start().await?;
        if given.contains("write") {
            session.set(COUNT, 5)?;
        }
        let response = Response::builder()
            .header(CACHE_CONTROL, given)
            .header(VARY, "accept-encoding, Cookie");
        Ok(response.body(String::new()).unwrap())
    });
    let response = ask(&app, request).await;
    assert_eq!(lines(&response, VARY), ["accept-encoding, Cookie"]);
    lines(&response, CACHE_CONTROL)
}

#[tokio::test]
async fn the_cache_policy_of_the_handler_is_reduced_to_private_caches() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    for (given, expected) in [
        ("private, max-age=60", "private, max-age=60"),
        ("public, max-age=60", "private, max-age=60"),
        ("public", "no-store"),
        ("public, max-age=60, write", "no-store"),
    ] {
        let said = cached(&fixture, fixture.layer(), given, request_of(&id, "/")).await;
        assert_eq!(said, [expected], "{given}");
    }
    let said = cached(&fixture, fixture.layer(), "public, s-maxage=9", request("/")).await;
    assert_eq!(said, ["private"]);
}

#[tokio::test]
async fn the_cache_policy_of_the_handler_is_kept_on_request() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    for given in ["public, max-age=60", "public, write"] {
        let said = cached(
            &fixture,
            fixture.layer().keep_cache_control(),
            given,
            request_of(&id, "/"),
        )
        .await;
        assert_eq!(said, [given]);
    }
    let app = fixture.app_behind(fixture.layer().keep_cache_control());
    let response = ask(&app, request_of(&id, "/count")).await;
    assert_eq!(lines(&response, CACHE_CONTROL), ["no-store"]);
}

#[tokio::test]
async fn cache_headers_follow_reads_and_writes() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let app = fixture.app();
    for (path, vary, cache_control) in [
        ("/nothing", &[][..], &[][..]),
        ("/peek", &["cookie"], &["no-store"]),
        ("/exists", &["cookie"], &["no-store"]),
        ("/id", &["cookie"], &["no-store"]),
        ("/key", &["cookie"], &["no-store"]),
        ("/handle", &["cookie"], &["no-store"]),
        ("/count", &["cookie"], &["no-store"]),
        ("/logout", &["cookie"], &["no-store"]),
    ] {
        let response = ask(&app, request_of(&id, path)).await;
        assert_eq!(lines(&response, VARY), vary, "{path}");
        assert_eq!(lines(&response, CACHE_CONTROL), cache_control, "{path}");
    }
    for (path, vary, cache_control) in [
        ("/nothing", &[][..], &[][..]),
        ("/peek", &["cookie"], &["private"]),
        ("/exists", &["cookie"], &["private"]),
        ("/count", &["cookie"], &["no-store"]),
    ] {
        let response = ask(&app, request(path)).await;
        assert_eq!(lines(&response, VARY), vary, "{path}");
        assert_eq!(lines(&response, CACHE_CONTROL), cache_control, "{path}");
    }
}

/// The response depends on the cookie, as a request without one gets another response.
#[tokio::test]
async fn a_failed_start_counts_as_a_read() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    for (operation, path) in [(Operation::Read, "/try-to-peek"), (Operation::Lock, "/try-to-count")] {
        fixture
            .faults
            .fail_next(operation, Fault::before(StorageErrorKind::Unavailable));
        let response = ask(&fixture.app(), request_of(&id, path)).await;
        assert_eq!(lines(&response, VARY), ["cookie"], "{path}");
        assert_eq!(lines(&response, CACHE_CONTROL), ["no-store"], "{path}");
        assert_eq!(text(response), "no", "{path}");
    }
}

#[tokio::test]
async fn the_functions_of_the_application_receive_the_request() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let layer = fixture
        .layer()
        .commit_when(|request, parts| request.uri.path() == "/count-and-500" && parts.status == 500)
        .on_error(|request, _| {
            let is_of = request.headers.contains_key(COOKIE);
            Some(Response::new(Bytes::from(format!("{} {is_of}", request.uri.path()))))
        });
    let app = fixture.app_behind(layer);
    ask(&app, request_of(&id, "/count")).await;
    assert_eq!(fixture.count_of(&id).await, Some(1));
    ask(&app, request_of(&id, "/count-and-500")).await;
    assert_eq!(fixture.count_of(&id).await, Some(2));
    fixture
        .faults
        .fail_next(Operation::Commit, Fault::before(StorageErrorKind::LockLost));
    let response = ask(&app, request_of(&id, "/count-and-500")).await;
    assert_eq!(read(response).await, "/count-and-500 true");
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_renewed_while_the_handler_runs() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let app = fixture.serve(async |session| {
        session.start().await?;
        session.set(COUNT, 9)?;
        // Ten leases.
        tokio::time::sleep(Duration::from_secs(300)).await;
        Ok(Response::new("late".to_owned()))
    });
    let response = ask(&app, request_of(&id, "/")).await;
    assert_eq!(text(response), "late");
    assert_eq!(fixture.count_of(&id).await, Some(9));
}

#[tokio::test(start_paused = true)]
async fn a_handler_decides_about_a_lock_timeout() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let app = fixture.app();
    let holder = tokio::spawn(app.clone().oneshot(request_of(&id, "/count-and-hang")));
    tokio::task::yield_now().await;
    let response = app.oneshot(request_of(&id, "/count")).await;
    assert!(matches!(response, Err(SessionError::LockTimeout)));
    holder.abort();
}

/// Proves that the `pending` handlers above do hold the lock while they run.
#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_holds_the_lock() {
    let fixture = fixture();
    let id = fixture.stored(1).await;
    let app = fixture.serve(async |session| {
        session.start().await?;
        pending().await
    });
    let holder = tokio::spawn(app.oneshot(request_of(&id, "/")));
    tokio::task::yield_now().await;
    let other = ask_for_lock(&fixture, &id).await;
    assert!(matches!(other, Err(SessionError::LockTimeout)));
    holder.abort();
}

async fn ask_for_lock(fixture: &common::Fixture, id: &sessile_core::SessionId) -> Result<(), SessionError> {
    let visit = sessile_core::Visit::from(id.clone());
    fixture.session.init(visit, fixture.session.start()).await?
}
