//! What becomes of an answer: it passes, or another stands in for it.

// In a helper, too, an unwrap is an assertion.
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
use sessile_testkit::{Fault, Verb};
use sessile_tower::SessionLayer;
use tokio::sync::Notify;
use tower::ServiceExt as _;

use self::common::{Answer, COUNT, World, ask, lines, request, request_of, text, world, world_with};

/// The whole text of an answer, whoever made it.
async fn read(answer: Answer) -> String {
    let bytes = answer
        .into_body()
        .collect()
        .await
        .expect("the body has no errors")
        .to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn what_was_done_is_stored_when_the_head_goes_out() {
    let world = world();
    let id = world.stored(1).await;
    world.calls.reset();
    let answer = ask(&world.app(), request_of(&id, "/count")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(world.calls.take(), [(Verb::Lock, 1), (Verb::Commit, 1)]);
    assert_eq!(text(answer), "2");
    assert_eq!(world.count_of(&id).await, Some(2));
}

#[tokio::test]
async fn fifty_requests_at_once_count_to_fifty() {
    let world = world_with(|builder| builder.lock_wait(Duration::from_secs(60)));
    let id = world.stored(0).await;
    let app = world.app();
    let visits = (0..50).map(|_| tokio::spawn(app.clone().oneshot(request_of(&id, "/count"))));
    for visit in visits.collect::<Vec<_>>() {
        assert_eq!(visit.await.unwrap().unwrap().status(), StatusCode::OK);
    }
    assert_eq!(world.count_of(&id).await, Some(50));
}

#[tokio::test(start_paused = true)]
async fn a_server_error_leaves_the_session_as_it_was() {
    let world = world();
    let id = world.stored(1).await;
    let answer = ask(&world.app(), request_of(&id, "/count-and-500")).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(lines(&answer, SET_COOKIE), [""; 0]);
    assert_eq!(lines(&answer, VARY), ["cookie"]);
    assert_eq!(text(answer), "2");
    assert_eq!(world.count_of(&id).await, Some(1));
}

#[tokio::test]
async fn a_server_error_stores_no_new_session() {
    let world = world();
    let answer = ask(&world.app(), request("/count-and-500")).await;
    assert_eq!(lines(&answer, SET_COOKIE), [""; 0]);
    world.calls.assert_none();
}

#[tokio::test]
async fn a_client_error_is_an_answer_like_others() {
    let world = world();
    let id = world.stored(1).await;
    let answer = ask(&world.app(), request_of(&id, "/count-and-404")).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(world.count_of(&id).await, Some(2));
}

#[tokio::test]
async fn commit_when_decides_what_is_kept() {
    let world = world();
    let id = world.stored(1).await;
    let never = world.app_behind(
        world
            .layer()
            .commit_when(|_, parts| parts.status == StatusCode::CREATED),
    );
    ask(&never, request_of(&id, "/count")).await;
    assert_eq!(world.count_of(&id).await, Some(1));
    let always = world.app_behind(world.layer().commit_when(|_, _| true));
    ask(&always, request_of(&id, "/count-and-500")).await;
    assert_eq!(world.count_of(&id).await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_service_passes_and_leaves_the_session_as_it_was() {
    let world = world();
    let id = world.stored(1).await;
    let answer = world.app().oneshot(request_of(&id, "/count-and-fail")).await;
    assert!(matches!(answer, Err(SessionError::NotWritable)));
    assert_eq!(world.count_of(&id).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_leaves_the_session_as_it_was_and_unlocked() {
    let world = world();
    let id = world.stored(1).await;
    let answer = world.app().oneshot(request_of(&id, "/count-and-panic"));
    assert!(AssertUnwindSafe(answer).catch_unwind().await.is_err());
    assert_eq!(world.count_of(&id).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_request_leaves_the_session_as_it_was_and_unlocked() {
    let world = world();
    let id = world.stored(1).await;
    let answer = world.app().oneshot(request_of(&id, "/count-and-hang"));
    assert!(tokio::time::timeout(Duration::from_secs(1), answer).await.is_err());
    assert_eq!(world.count_of(&id).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_request_dropped_while_it_waits_for_the_lock_leaves_nothing() {
    let world = world_with(|builder| builder.lock_wait(Duration::from_secs(20)));
    let id = world.stored(1).await;
    let app = world.app();
    let holder = tokio::spawn(app.clone().oneshot(request_of(&id, "/count-and-hang")));
    tokio::task::yield_now().await;
    let waiter = app.oneshot(request_of(&id, "/count"));
    assert!(tokio::time::timeout(Duration::from_secs(1), waiter).await.is_err());
    holder.abort();
    assert_eq!(world.count_of(&id).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_is_never_answered_is_never_shown() {
    let world = world();
    let id = world.stored(1).await;
    world.faults.fail_next(Verb::Commit, Fault::hang_before());
    let answer = world.app().oneshot(request_of(&id, "/count"));
    assert!(tokio::time::timeout(Duration::from_secs(5), answer).await.is_err());
    assert_eq!(world.count_of(&id).await, Some(1));
}

/// Lets a request set a value of a session which is destroyed before the request is answered.
async fn lose_a_change(world: &World, layer: SessionLayer) -> Answer {
    let id = world.stored(1).await;
    let (at_work, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (working, going) = (Arc::clone(&at_work), Arc::clone(&go_on));
    let app = world.serve_behind(layer, move |session| {
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
    world.destroy(&id).await;
    go_on.notify_one();
    let answer = slow.await.unwrap().unwrap();
    assert_eq!(world.count_of(&id).await, None);
    answer
}

#[tokio::test]
async fn a_change_that_was_lost_is_a_conflict_and_the_cookie_is_left_alone() {
    let world = world();
    let answer = lose_a_change(&world, world.layer()).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert_eq!(lines(&answer, SET_COOKIE), [""; 0]);
    assert_eq!(lines(&answer, CACHE_CONTROL), ["no-store"]);
    assert_eq!(lines(&answer, VARY), ["cookie"]);
    assert_eq!(read(answer).await, "the session has ended");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_moved_on_and_then_ended_is_a_conflict_too() {
    let world = world();
    let id = world.stored(1).await;
    // Long enough for the sliding expiration to move, and with it the lifetime of the cookie.
    tokio::time::advance(Duration::from_secs(3600)).await;
    world
        .faults
        .fail_next(Verb::Commit, Fault::before(StorageErrorKind::Gone));
    let answer = ask(&world.app(), request_of(&id, "/count")).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert_eq!(lines(&answer, SET_COOKIE), [""; 0]);
}

/// A layer inside that gives a handler so much time answers with this, wherever the handler was.
#[tokio::test(start_paused = true)]
async fn a_handler_that_was_cut_off_leaves_the_session_as_it_was() {
    let world = world();
    let id = world.stored(1).await;
    let answer = ask(&world.app(), request_of(&id, "/count-and-408")).await;
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(text(answer), "2");
    assert_eq!(world.count_of(&id).await, Some(1));
}

#[tokio::test]
async fn a_session_that_moved_away_is_a_conflict_and_its_cookie_is_left_alone() {
    let world = world();
    let id = world.stored(1).await;
    world
        .faults
        .fail_next(Verb::Commit, Fault::before(StorageErrorKind::Superseded));
    let answer = ask(&world.app(), request_of(&id, "/count")).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert_eq!(lines(&answer, SET_COOKIE), [""; 0]);
    assert_eq!(lines(&answer, CACHE_CONTROL), ["no-store"]);
    assert_eq!(lines(&answer, VARY), ["cookie"]);
    assert_eq!(read(answer).await, "the session has moved to another id");
}

#[tokio::test]
async fn other_failures_to_close_are_503() {
    use StorageErrorKind::{Corrupt, Denied, Full, LockLost, Timeout, Unavailable};
    let world = world();
    for (kind, retry) in [
        (Unavailable, true),
        (Timeout, true),
        (LockLost, true),
        (Denied, false),
        (Full, false),
        (Corrupt, false),
    ] {
        let id = world.stored(1).await;
        world.faults.fail_next(Verb::Commit, Fault::before(kind));
        let answer = ask(&world.app(), request_of(&id, "/count")).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{kind:?}");
        assert_eq!(answer.headers().contains_key(RETRY_AFTER), retry, "{kind:?}");
        assert_eq!(lines(&answer, SET_COOKIE), [""; 0], "{kind:?}");
        assert_eq!(read(answer).await, "the session is not available", "{kind:?}");
        assert_eq!(world.count_of(&id).await, Some(1), "{kind:?}");
    }
}

#[tokio::test]
async fn a_session_that_could_not_be_stored_is_not_promised() {
    let world = world();
    world
        .faults
        .fail_next(Verb::Create, Fault::before(StorageErrorKind::Unavailable));
    let answer = ask(&world.app(), request("/count")).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(lines(&answer, SET_COOKIE), [""; 0]);
}

#[tokio::test]
async fn a_new_id_that_could_not_be_stored_is_not_told() {
    let world = world();
    let id = world.stored(1).await;
    world
        .faults
        .fail_next(Verb::Rotate, Fault::before(StorageErrorKind::Unavailable));
    let answer = ask(&world.app(), request_of(&id, "/login")).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(lines(&answer, SET_COOKIE), [""; 0]);
    assert_eq!(world.count_of(&id).await, Some(1));
}

#[tokio::test]
async fn a_lock_that_cannot_be_given_back_does_not_hold_up_the_answer() {
    let world = world();
    let id = world.stored(1).await;
    world
        .faults
        .fail_next(Verb::Release, Fault::before(StorageErrorKind::Unavailable));
    let answer = ask(&world.app(), request_of(&id, "/count-and-500")).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(text(answer), "2");
}

/// Nothing was written, and nothing is lost: the lock ends with its lease.
#[tokio::test]
async fn a_lock_that_cannot_be_given_back_fails_no_request_that_has_changed_nothing() {
    let world = world();
    let id = world.stored(1).await;
    world
        .faults
        .fail_next(Verb::Release, Fault::before(StorageErrorKind::Unavailable));
    let answer = ask(&world.app(), request_of(&id, "/only-start")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(text(answer), "started");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_be_prolonged_is_read_all_the_same() {
    let world = world();
    for (path, expected) in [("/peek", "Some(1)"), ("/only-start", "started"), ("/count", "2")] {
        let id = world.stored(1).await;
        // Long enough for the sliding expiration to move.
        tokio::time::advance(Duration::from_secs(3600)).await;
        world
            .faults
            .fail_always(Verb::Touch, Fault::before(StorageErrorKind::Unavailable));
        let answer = ask(&world.app(), request_of(&id, path)).await;
        world.faults.clear();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(text(answer), expected, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_only_looks_prolongs_nothing() {
    let world = world();
    let id = world.stored(1).await;
    let layer = world
        .layer()
        .passive_when(|request| request.uri.query() == Some("poll"));
    let app = world.app_behind(layer);
    tokio::time::advance(Duration::from_secs(3600)).await;
    world.calls.reset();
    ask(&app, request_of(&id, "/peek?poll")).await;
    assert_eq!(world.calls.take(), [(Verb::Read, 1)]);
    ask(&app, request_of(&id, "/peek")).await;
    assert_eq!(world.calls.take(), [(Verb::Read, 1), (Verb::Touch, 1)]);
}

/// What a handler did not want to know of is known to the layer.
#[tokio::test]
async fn a_close_whose_failure_was_ignored_is_no_success() {
    let world = world();
    let id = world.stored(1).await;
    world
        .faults
        .fail_next(Verb::Commit, Fault::before(StorageErrorKind::LockLost));
    let answer = ask(&world.app(), request_of(&id, "/count-and-ignore-close")).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(lines(&answer, RETRY_AFTER), ["1"]);
    assert_eq!(world.count_of(&id).await, Some(1));
}

/// A service that speaks gRPC-Web itself, and one whose session is started by the layer.
#[tokio::test]
async fn clients_of_grpc_web_are_answered_in_their_own_type() {
    for kind in [
        "application/grpc",
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpc-web-text",
    ] {
        let check = |answer: Answer, status: &str| {
            assert_eq!(answer.status(), StatusCode::OK, "{kind}");
            assert_eq!(lines(&answer, CONTENT_TYPE), [kind]);
            assert_eq!(
                lines(&answer, HeaderName::from_static("grpc-status")),
                [status],
                "{kind}"
            );
            assert!(answer.body().is_end_stream(), "{kind}");
        };
        let world = world();
        let id = world.stored(1).await;
        let app = world.serve(move |session| async move {
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
            world.faults.fail_next(Verb::Commit, Fault::before(fault));
            check(ask(&app, request_of(&id, "/")).await, status);
        }

        let world = world_with(|builder| builder.auto_start(AutoStart::ReadOnly));
        let id = world.stored(1).await;
        world
            .faults
            .fail_next(Verb::Read, Fault::before(StorageErrorKind::Unavailable));
        let mut request = request_of(&id, "/nothing");
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        check(ask(&world.app(), request).await, "14");
    }
}

#[tokio::test]
async fn on_error_chooses_the_answer() {
    let world = world();
    let layer = world.layer().on_error(|_, error| {
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
    let app = world.app_behind(layer);
    for (kind, status, expected) in [
        (StorageErrorKind::Superseded, 418, "superseded"),
        (StorageErrorKind::Gone, 418, "gone"),
        (StorageErrorKind::Denied, 418, "storage"),
        (StorageErrorKind::LockLost, 503, "the session is not available"),
    ] {
        let id = world.stored(1).await;
        world.faults.fail_next(Verb::Commit, Fault::before(kind));
        let answer = ask(&app, request_of(&id, "/count")).await;
        assert_eq!(answer.status(), status, "{kind:?}");
        assert_eq!(lines(&answer, CACHE_CONTROL), ["no-store"], "{kind:?}");
        let removed = lines(&answer, SET_COOKIE).len();
        assert_eq!(removed, 0, "{kind:?}");
        assert_eq!(read(answer).await, expected, "{kind:?}");
    }
}

/// What becomes of `Cache-Control`, given what the handler sets it to.
async fn cached(world: &World, layer: SessionLayer, given: &'static str, request: Request<()>) -> Vec<String> {
    let app = world.serve_behind(layer, move |session: Session| async move {
        session.start().await?;
        if given.contains("write") {
            session.set(COUNT, 5)?;
        }
        let response = Response::builder()
            .header(CACHE_CONTROL, given)
            .header(VARY, "accept-encoding, Cookie");
        Ok(response.body(String::new()).unwrap())
    });
    let answer = ask(&app, request).await;
    assert_eq!(lines(&answer, VARY), ["accept-encoding, Cookie"]);
    lines(&answer, CACHE_CONTROL)
}

#[tokio::test]
async fn what_the_handler_says_to_caches_is_for_one_visitor() {
    let world = world();
    let id = world.stored(1).await;
    for (given, expected) in [
        ("private, max-age=60", "private, max-age=60"),
        ("public, max-age=60", "private, max-age=60"),
        ("public", "no-store"),
        ("public, max-age=60, write", "no-store"),
    ] {
        let said = cached(&world, world.layer(), given, request_of(&id, "/")).await;
        assert_eq!(said, [expected], "{given}");
    }
    let said = cached(&world, world.layer(), "public, s-maxage=9", request("/")).await;
    assert_eq!(said, ["private"]);
}

#[tokio::test]
async fn what_the_handler_says_to_caches_stands_where_the_application_wants_that() {
    let world = world();
    let id = world.stored(1).await;
    for given in ["public, max-age=60", "public, write"] {
        let said = cached(&world, world.layer().keep_cache_control(), given, request_of(&id, "/")).await;
        assert_eq!(said, [given]);
    }
    let app = world.app_behind(world.layer().keep_cache_control());
    let answer = ask(&app, request_of(&id, "/count")).await;
    assert_eq!(lines(&answer, CACHE_CONTROL), ["no-store"]);
}

#[tokio::test]
async fn caches_are_told_of_what_was_read_and_what_was_written() {
    let world = world();
    let id = world.stored(1).await;
    let app = world.app();
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
        let answer = ask(&app, request_of(&id, path)).await;
        assert_eq!(lines(&answer, VARY), vary, "{path}");
        assert_eq!(lines(&answer, CACHE_CONTROL), cache_control, "{path}");
    }
    for (path, vary, cache_control) in [
        ("/nothing", &[][..], &[][..]),
        ("/peek", &["cookie"], &["private"]),
        ("/exists", &["cookie"], &["private"]),
        ("/count", &["cookie"], &["no-store"]),
    ] {
        let answer = ask(&app, request(path)).await;
        assert_eq!(lines(&answer, VARY), vary, "{path}");
        assert_eq!(lines(&answer, CACHE_CONTROL), cache_control, "{path}");
    }
}

/// The answer depends on the cookie: who has none gets another.
#[tokio::test]
async fn a_start_that_fails_has_read() {
    let world = world();
    let id = world.stored(1).await;
    for (verb, path) in [(Verb::Read, "/try-to-peek"), (Verb::Lock, "/try-to-count")] {
        world
            .faults
            .fail_next(verb, Fault::before(StorageErrorKind::Unavailable));
        let answer = ask(&world.app(), request_of(&id, path)).await;
        assert_eq!(lines(&answer, VARY), ["cookie"], "{path}");
        assert_eq!(lines(&answer, CACHE_CONTROL), ["no-store"], "{path}");
        assert_eq!(text(answer), "no", "{path}");
    }
}

#[tokio::test]
async fn the_functions_of_the_application_see_the_request() {
    let world = world();
    let id = world.stored(1).await;
    let layer = world
        .layer()
        .commit_when(|request, parts| request.uri.path() == "/count-and-500" && parts.status == 500)
        .on_error(|request, _| {
            let is_of = request.headers.contains_key(COOKIE);
            Some(Response::new(Bytes::from(format!("{} {is_of}", request.uri.path()))))
        });
    let app = world.app_behind(layer);
    ask(&app, request_of(&id, "/count")).await;
    assert_eq!(world.count_of(&id).await, Some(1));
    ask(&app, request_of(&id, "/count-and-500")).await;
    assert_eq!(world.count_of(&id).await, Some(2));
    world
        .faults
        .fail_next(Verb::Commit, Fault::before(StorageErrorKind::LockLost));
    let answer = ask(&app, request_of(&id, "/count-and-500")).await;
    assert_eq!(read(answer).await, "/count-and-500 true");
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_kept_for_as_long_as_the_handler_works() {
    let world = world();
    let id = world.stored(1).await;
    let app = world.serve(async |session| {
        session.start().await?;
        session.set(COUNT, 9)?;
        // Ten leases.
        tokio::time::sleep(Duration::from_secs(300)).await;
        Ok(Response::new("late".to_owned()))
    });
    let answer = ask(&app, request_of(&id, "/")).await;
    assert_eq!(text(answer), "late");
    assert_eq!(world.count_of(&id).await, Some(9));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_too_long_for_the_lock_gets_what_its_handler_makes_of_that() {
    let world = world();
    let id = world.stored(1).await;
    let app = world.app();
    let holder = tokio::spawn(app.clone().oneshot(request_of(&id, "/count-and-hang")));
    tokio::task::yield_now().await;
    let answer = app.oneshot(request_of(&id, "/count")).await;
    assert!(matches!(answer, Err(SessionError::LockTimeout)));
    holder.abort();
}

/// Shows that `pending` handlers above are not what keeps the session unlocked.
#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_holds_the_lock() {
    let world = world();
    let id = world.stored(1).await;
    let app = world.serve(async |session| {
        session.start().await?;
        pending().await
    });
    let holder = tokio::spawn(app.oneshot(request_of(&id, "/")));
    tokio::task::yield_now().await;
    let other = ask_for_lock(&world, &id).await;
    assert!(matches!(other, Err(SessionError::LockTimeout)));
    holder.abort();
}

async fn ask_for_lock(world: &common::World, id: &sessile_core::SessionId) -> Result<(), SessionError> {
    let visit = sessile_core::Visit::from(id.clone());
    world.session.init(visit, world.session.start()).await?
}
