//! What a browser gets to keep, over several visits.

// In a helper, too, an unwrap is an assertion.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Response, StatusCode};
use sessile_core::{DAY, Expiration, HOUR, IdChange, MINUTE, OsEntropy, SessionId, Visit};
use sessile_tower::{Carrier as _, CookieCarrier};
use tokio::sync::Notify;
use tower::ServiceExt as _;

use self::common::{Browser, COUNT, ask, lines, request, request_of, text, world, world_with};

const REMOVAL: &str = "__Host-SID=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure";

#[tokio::test(start_paused = true)]
async fn one_cookie_is_set_when_the_session_begins_and_none_while_it_stays_as_it_is() {
    let world = world();
    let app = world.app();
    let mut browser = Browser::new();
    let answer = browser.visit(&app, "/nothing").await;
    assert_eq!(lines(&answer, SET_COOKIE), [""; 0]);
    let answer = browser.visit(&app, "/peek").await;
    assert_eq!(lines(&answer, SET_COOKIE), [""; 0], "an empty session needs no id");

    let answer = browser.visit(&app, "/count").await;
    let id = browser.id().expect("the session has begun");
    let expected = format!(
        "__Host-SID={}; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax; Secure",
        id.expose()
    );
    assert_eq!(lines(&answer, SET_COOKIE), [expected]);
    assert!(answer.headers()[SET_COOKIE].is_sensitive());

    for path in ["/count", "/peek", "/nothing", "/count"] {
        let answer = browser.visit(&app, path).await;
        assert_eq!(lines(&answer, SET_COOKIE), [""; 0], "{path}");
    }
    assert_eq!(world.count_of(&id).await, Some(3));
}

#[tokio::test]
async fn an_id_that_was_made_up_is_never_adopted() {
    let world = world();
    let app = world.app();
    let planted = SessionId::generate(&OsEntropy);
    for made_up in [planted.expose(), "attacker-chosen-id"] {
        let id = SessionId::parse(made_up).unwrap();
        let answer = ask(&app, request_of(&id, "/peek")).await;
        assert_eq!(lines(&answer, SET_COOKIE), [REMOVAL]);

        let answer = ask(&app, request_of(&id, "/login")).await;
        let set = lines(&answer, SET_COOKIE);
        assert_eq!(set.len(), 1);
        assert!(set[0].starts_with("__Host-SID="), "{set:?}");
        assert!(!set[0].contains(made_up), "{set:?}");
        assert_eq!(world.count_of(&id).await, None);
        let spied = ask(&app, request_of(&id, "/user")).await;
        assert_eq!(text(spied), "None");
    }
}

#[tokio::test]
async fn logging_in_changes_the_id_and_kills_the_old_one() {
    let world = world();
    let app = world.app();
    let mut browser = Browser::new();
    browser.visit(&app, "/count").await;
    let planted = browser.id().unwrap();
    browser.visit(&app, "/login").await;
    let id = browser.id().unwrap();
    assert_ne!(id, planted);
    assert_eq!(text(browser.visit(&app, "/user").await), "Some(String(\"ada\"))");
    assert_eq!(world.count_of(&id).await, Some(1));

    let spied = ask(&app, request_of(&planted, "/user")).await;
    assert_eq!(
        lines(&spied, SET_COOKIE),
        [""; 0],
        "nothing is told about an id that has moved"
    );
    assert_eq!(text(spied), "None");
}

#[tokio::test]
async fn a_request_in_flight_does_not_put_the_old_id_back() {
    let world = world();
    let app = world.app();
    let mut browser = Browser::new();
    browser.visit(&app, "/count").await;
    let old = browser.id().unwrap();

    // Two requests that were sent before the answer to the login came, and are answered after it.
    let (reads, writes) = (browser.request("/user"), browser.request("/count"));
    browser.visit(&app, "/login").await;
    let id = browser.id().unwrap();
    let answer = ask(&app, reads).await;
    browser.keep(&answer);
    assert_eq!(text(answer), "None");
    let answer = ask(&app, writes).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    browser.keep(&answer);

    assert_ne!(id, old);
    assert_eq!(browser.id(), Some(id));
    assert_eq!(text(browser.visit(&app, "/user").await), "Some(String(\"ada\"))");
}

#[tokio::test]
async fn a_request_that_had_started_before_the_id_changed_does_not_put_the_old_one_back() {
    let world = world();
    let (at_work, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (working, going) = (Arc::clone(&at_work), Arc::clone(&go_on));
    let slow = world.serve(move |session| {
        let (working, going) = (Arc::clone(&working), Arc::clone(&going));
        async move {
            session.start_readonly().await?;
            working.notify_one();
            going.notified().await;
            session.update_key(COUNT, |count| *count += 1).unwrap_err();
            session.start().await?;
            Ok(Response::new(String::new()))
        }
    });
    let app = world.app();
    let mut browser = Browser::new();
    browser.visit(&app, "/count").await;
    let slow = tokio::spawn(slow.oneshot(browser.request("/")));
    at_work.notified().await;
    browser.visit(&app, "/login").await;
    let id = browser.id();
    go_on.notify_one();
    assert!(matches!(
        slow.await.unwrap(),
        Err(sessile_core::SessionError::Superseded)
    ));
    assert_eq!(text(browser.visit(&app, "/user").await), "Some(String(\"ada\"))");
    assert_eq!(browser.id(), id);
}

#[tokio::test]
async fn logging_out_removes_the_cookie_once() {
    let world = world();
    let app = world.app();
    let mut browser = Browser::new();
    browser.visit(&app, "/login").await;
    let id = browser.id().unwrap();
    let answer = browser.visit(&app, "/logout").await;
    assert_eq!(lines(&answer, SET_COOKIE), [REMOVAL]);
    assert_eq!(browser.id(), None);
    let answer = browser.visit(&app, "/logout").await;
    assert_eq!(lines(&answer, SET_COOKIE), [""; 0]);
    assert_eq!(text(ask(&app, request_of(&id, "/user")).await), "None");
}

#[tokio::test]
async fn a_session_that_begins_and_ends_in_one_visit_leaves_no_trace() {
    let world = world();
    let app = world.serve(async |session| {
        session.start().await?;
        session.set(COUNT, 1)?;
        session.close().await?;
        session.destroy().await?;
        Ok(Response::new(String::new()))
    });
    let answer = ask(&app, request("/")).await;
    assert_eq!(lines(&answer, SET_COOKIE), [""; 0]);
}

#[tokio::test]
async fn one_session_can_end_and_another_begin_in_one_visit() {
    let world = world();
    let app = world.serve(async |session| {
        session.destroy().await?;
        session.start().await?;
        session.set(COUNT, 5)?;
        Ok(Response::new(String::new()))
    });
    let mut browser = Browser::new();
    browser.visit(&world.app(), "/count").await;
    let first = browser.id().unwrap();
    let answer = browser.visit(&app, "/").await;
    assert_eq!(lines(&answer, SET_COOKIE).len(), 1);
    let second = browser.id().unwrap();
    assert_eq!(world.count_of(&first).await, None);
    assert_eq!(world.count_of(&second).await, Some(5));
}

#[tokio::test(start_paused = true)]
async fn the_lifetime_of_the_cookie_is_that_of_the_session() {
    let world = world_with(|builder| builder.default_expiration(Expiration::sliding(20 * MINUTE).at_most(HOUR)));
    let app = world.app();
    let answer = ask(&app, request("/count")).await;
    assert!(lines(&answer, SET_COOKIE)[0].contains("; Max-Age=1200;"));
    let mut browser = Browser::new();
    browser.keep(&answer);

    // Less than is worth a write.
    tokio::time::advance(MINUTE).await;
    let answer = ask(&app, browser.request("/peek")).await;
    assert_eq!(lines(&answer, SET_COOKIE), [""; 0]);

    for (path, expected) in [
        ("/peek", Some(1200)),
        ("/count", Some(1200)),
        ("/count-and-500", Some(1200)),
        // The limit of an hour is 13 minutes away.
        ("/peek", Some(13 * 60)),
        // The session cannot slide any more.
        ("/count", None),
    ] {
        tokio::time::advance(if expected.is_some() {
            11 * MINUTE + 30_000 * MILLISECOND
        } else {
            MINUTE
        })
        .await;
        let answer = ask(&app, browser.request(path)).await;
        let set = lines(&answer, SET_COOKIE);
        match expected {
            Some(seconds) => assert!(set[0].contains(&format!("; Max-Age={seconds};")), "{path}: {set:?}"),
            None => assert_eq!(set, [""; 0]),
        }
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn lifetimes_are_rounded_and_capped() {
    for (expiration, expected) in [
        (Expiration::After(90 * MINUTE), "; Max-Age=5400; "),
        (Expiration::After(Duration::from_millis(1_999)), "; Max-Age=1; "),
        // Zero would remove the cookie.
        (Expiration::After(Duration::from_millis(300)), "; Max-Age=1; "),
        (Expiration::After(400 * DAY), "; Max-Age=34560000; "),
        (Expiration::After(1_000 * DAY), "; Max-Age=34560000; "),
        (Expiration::Never, "; Max-Age=34560000; "),
        (Expiration::Transient, "; Path=/; "),
        (Expiration::sliding(HOUR).or_transient().into(), "; Path=/; "),
    ] {
        let world = world_with(|builder| builder.default_expiration(expiration));
        let answer = ask(&world.app(), request("/count")).await;
        let set = lines(&answer, SET_COOKIE);
        let behind_value = &set[0]["__Host-SID=".len() + SessionId::LEN..];
        assert!(behind_value.starts_with(expected), "{expiration:?}: {behind_value}");
        assert_eq!(behind_value.contains("Max-Age"), expected.contains("Max-Age"));
    }
}

#[tokio::test]
async fn the_second_cookie_stands_while_there_is_transient_data() {
    let world = world();
    let transient = world.serve(async |session| {
        session.start().await?;
        session.set_with_expiration(COUNT, 3, Expiration::Transient)?;
        Ok(Response::new(String::new()))
    });
    let lasting = world.serve(async |session| {
        session.start().await?;
        session.unset(COUNT)?;
        session.set("kept", 1)?;
        Ok(Response::new(String::new()))
    });
    let app = world.app();
    let mut browser = Browser::new();
    let answer = browser.visit(&transient, "/").await;
    let set = lines(&answer, SET_COOKIE);
    assert_eq!(set.len(), 2);
    assert_eq!(set[1], "__Host-ST=1; Path=/; HttpOnly; SameSite=Lax; Secure");
    assert!(browser.cookie("__Host-ST").is_some());

    // It is set once, and a visit that does not look does not know.
    for path in ["/nothing", "/peek", "/count"] {
        let answer = browser.visit(&app, path).await;
        assert_eq!(lines(&answer, SET_COOKIE), [""; 0], "{path}");
    }
    let answer = browser.visit(&lasting, "/").await;
    assert_eq!(
        lines(&answer, SET_COOKIE),
        ["__Host-ST=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure"]
    );
    assert_eq!(browser.cookie("__Host-ST"), None);
    assert!(browser.id().is_some());
}

#[tokio::test]
async fn closing_the_window_ends_transient_data_and_nothing_else() {
    let world = world();
    let both = world.serve(async |session| {
        session.start().await?;
        session.set_with_expiration(COUNT, 3, Expiration::Transient)?;
        session.set("user", "ada")?;
        Ok(Response::new(String::new()))
    });
    let app = world.app();
    let mut browser = Browser::new();
    browser.visit(&both, "/").await;
    assert_eq!(text(browser.visit(&app, "/peek").await), "Some(3)");
    browser.restart();
    assert!(browser.id().is_some());
    assert_eq!(text(browser.visit(&app, "/peek").await), "None");
    assert_eq!(text(browser.visit(&app, "/user").await), "Some(String(\"ada\"))");
}

#[tokio::test]
async fn closing_the_window_ends_a_transient_session() {
    let world = world_with(|builder| builder.default_expiration(Expiration::Transient));
    let app = world.app();
    let mut browser = Browser::new();
    browser.visit(&app, "/count").await;
    let id = browser.id().unwrap();
    browser.restart();
    assert_eq!(browser.id(), None);
    // Even for a browser that brings its cookies back from the last time, except those of the window.
    let answer = ask(&app, request_of(&id, "/peek")).await;
    assert_eq!(lines(&answer, SET_COOKIE), [REMOVAL]);
    assert_eq!(text(answer), "None");
}

#[tokio::test]
async fn logging_out_removes_both_cookies() {
    let world = world_with(|builder| builder.default_expiration(Expiration::Transient));
    let app = world.app();
    let mut browser = Browser::new();
    browser.visit(&app, "/login").await;
    assert!(browser.cookie("__Host-ST").is_some());
    let answer = browser.visit(&app, "/logout").await;
    assert_eq!(lines(&answer, SET_COOKIE).len(), 2);
    assert_eq!(browser.cookie("__Host-ST"), None);
    assert_eq!(browser.id(), None);
}

#[tokio::test]
async fn without_a_companion_nobody_knows_of_windows() {
    let world = world();
    let carrier = CookieCarrier::builder().without_companion().build().unwrap();
    let mut headers = http::HeaderMap::new();
    headers.insert(COOKIE, HeaderValue::from_static("__Host-SID=0123456789abcdef"));
    let presented = carrier.read(&headers).unwrap();
    assert!(!presented.restarted);

    let visit = world.session.open(Visit::new());
    let mut outcome = visit.outcome();
    outcome.transient = Some(true);
    assert_eq!(outcome.id, IdChange::Keep);
    let mut answer = http::HeaderMap::new();
    carrier.write(&outcome, Some(&presented), &mut answer);
    assert!(answer.is_empty(), "{answer:?}");
}

#[test]
fn of_several_cookies_the_first_well_formed_one_counts() {
    let carrier = CookieCarrier::default();
    let (first, second) = ("first-0123456789", "second-012345678");
    for lines in [
        vec![format!("__Host-SID={first}; __Host-SID={second}")],
        vec![format!("__Host-SID={first}"), format!("__Host-SID={second}")],
        vec![format!(
            "__Host-SID=; __Host-SID=bad id; __Host-SID=short; __Host-SID={first}; __Host-SID={second}"
        )],
        vec![format!(
            "__host-sid={second}; SID={second}; x__Host-SID={second}; __Host-SID = {first} "
        )],
        vec![format!("a={second};;;=;b; __Host-SID=\"{second}\"; __Host-SID={first}")],
    ] {
        let mut headers = http::HeaderMap::new();
        for line in &lines {
            headers.append(COOKIE, line.parse().unwrap());
        }
        let found = carrier.read(&headers).expect("there is a well-formed one");
        assert_eq!(found.id.expose(), first, "{lines:?}");
    }
}
