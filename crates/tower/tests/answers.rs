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
use http::header::{CACHE_CONTROL, RETRY_AFTER, SET_COOKIE, VARY};
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use sessile_core::{SessionError, StorageErrorKind};
use sessile_testkit::{Fault, Verb};
use tokio::sync::Notify;
use tower::ServiceExt as _;

use self::common::{Answer, COUNT, ask, lines, request, request_of, text, world, world_with};

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
    let never = world.app_behind(world.layer().commit_when(|parts| parts.status == StatusCode::CREATED));
    ask(&never, request_of(&id, "/count")).await;
    assert_eq!(world.count_of(&id).await, Some(1));
    let always = world.app_behind(world.layer().commit_when(|_| true));
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

#[tokio::test]
async fn a_session_that_ended_meanwhile_loses_its_cookie_and_the_answer_passes() {
    let world = world();
    let id = world.stored(1).await;
    let (at_work, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (working, going) = (Arc::clone(&at_work), Arc::clone(&go_on));
    let app = world.serve(move |session| {
        let (working, going) = (Arc::clone(&working), Arc::clone(&going));
        async move {
            session.start().await?;
            session.set(COUNT, 7)?;
            working.notify_one();
            going.notified().await;
            Ok(Response::new("done".to_owned()))
        }
    });
    let slow = tokio::spawn(app.oneshot(request_of(&id, "/")));
    at_work.notified().await;
    world.destroy(&id).await;
    go_on.notify_one();
    let answer = slow.await.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(
        lines(&answer, SET_COOKIE),
        ["__Host-SID=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure"]
    );
    assert_eq!(text(answer), "done");
    assert_eq!(world.count_of(&id).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_moved_on_and_then_ended_loses_its_cookie() {
    let world = world();
    let id = world.stored(1).await;
    // Long enough for the sliding expiration to move, and with it the lifetime of the cookie.
    tokio::time::advance(Duration::from_secs(3600)).await;
    world
        .faults
        .fail_next(Verb::Commit, Fault::before(StorageErrorKind::Gone));
    let answer = ask(&world.app(), request_of(&id, "/count")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(
        lines(&answer, SET_COOKIE),
        ["__Host-SID=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure"]
    );
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

#[tokio::test]
async fn on_error_chooses_the_answer() {
    let world = world();
    let layer = world.layer().on_error(|error| {
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
        assert_eq!(removed, usize::from(kind == StorageErrorKind::Gone), "{kind:?}");
        assert_eq!(read(answer).await, expected, "{kind:?}");
    }
}

#[tokio::test]
async fn what_the_handler_says_to_caches_stands() {
    let world = world();
    let app = world.serve(async |session| {
        session.start().await?;
        session.set(COUNT, 1)?;
        let response = Response::builder()
            .header(CACHE_CONTROL, "private, max-age=60")
            .header(VARY, "accept-encoding, Cookie");
        Ok(response.body(String::new()).unwrap())
    });
    let answer = ask(&app, request("/")).await;
    assert_eq!(lines(&answer, CACHE_CONTROL), ["private, max-age=60"]);
    assert_eq!(lines(&answer, VARY), ["accept-encoding, Cookie"]);
}

#[tokio::test]
async fn caches_are_told_of_what_was_read_and_what_was_written() {
    let world = world();
    let id = world.stored(1).await;
    let app = world.app();
    for (path, vary, cache_control) in [
        ("/nothing", &[][..], &[][..]),
        ("/peek", &["cookie"], &[]),
        ("/count", &["cookie"], &["no-store"]),
        ("/logout", &["cookie"], &["no-store"]),
    ] {
        let answer = ask(&app, request_of(&id, path)).await;
        assert_eq!(lines(&answer, VARY), vary, "{path}");
        assert_eq!(lines(&answer, CACHE_CONTROL), cache_control, "{path}");
    }
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
