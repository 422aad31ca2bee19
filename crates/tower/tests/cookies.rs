//! Tests the cookies of a browser over several visits.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response, StatusCode};
use sessile_core::{DAY, Expiration, HOUR, MINUTE, OsEntropy, Session, SessionId};
use tokio::sync::Notify;
use tower::ServiceExt as _;

use self::common::{Browser, COUNT, ask, fixture, fixture_with, lines, request, request_of, text};

const WINDOW_REMOVED: [&str; 2] = [
    "__Host-SW=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure",
    "__Host-ST=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure",
];
const REMOVAL: &str = "__Host-SID=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure";

#[tokio::test(start_paused = true)]
async fn one_cookie_is_set_when_the_session_begins_and_none_while_it_is_unchanged() {
    let fixture = fixture();
    let app = fixture.app();
    let mut browser = Browser::new();
    let response = browser.visit(&app, "/nothing").await;
    assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
    let response = browser.visit(&app, "/peek").await;
    assert_eq!(lines(&response, SET_COOKIE), [""; 0], "an empty session needs no id");

    let response = browser.visit(&app, "/count").await;
    let id = browser.id().expect("the session has begun");
    let expected = format!(
        "__Host-SID={}; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax; Secure",
        id.expose()
    );
    assert_eq!(lines(&response, SET_COOKIE), [expected]);
    assert!(response.headers()[SET_COOKIE].is_sensitive());

    for path in ["/count", "/peek", "/nothing", "/count"] {
        let response = browser.visit(&app, path).await;
        assert_eq!(lines(&response, SET_COOKIE), [""; 0], "{path}");
    }
    assert_eq!(fixture.count_of(&id).await, Some(3));
}

#[tokio::test]
async fn a_made_up_id_is_never_adopted() {
    let fixture = fixture();
    let app = fixture.app();
    let planted = SessionId::generate(&OsEntropy);
    for made_up in [planted.expose(), "attacker-chosen-id"] {
        let id = SessionId::parse(made_up).unwrap();
        // The cookie may belong to another application on the host, or to a login that this request overtook.
        let response = ask(&app, request_of(&id, "/peek")).await;
        assert_eq!(lines(&response, SET_COOKIE), [""; 0]);

        let response = ask(&app, request_of(&id, "/login")).await;
        let set = lines(&response, SET_COOKIE);
        assert_eq!(set.len(), 1);
        assert!(set[0].starts_with("__Host-SID="), "{set:?}");
        assert!(!set[0].contains(made_up), "{set:?}");
        assert_eq!(fixture.count_of(&id).await, None);
        let spied = ask(&app, request_of(&id, "/user")).await;
        assert_eq!(text(spied), "None");
    }
}

#[tokio::test]
async fn logging_in_changes_the_id_and_invalidates_the_old_one() {
    let fixture = fixture();
    let app = fixture.app();
    let mut browser = Browser::new();
    browser.visit(&app, "/count").await;
    let planted = browser.id().unwrap();
    browser.visit(&app, "/login").await;
    let id = browser.id().unwrap();
    assert_ne!(id, planted);
    assert_eq!(text(browser.visit(&app, "/user").await), "Some(String(\"ada\"))");
    assert_eq!(fixture.count_of(&id).await, Some(1));

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
    let fixture = fixture();
    let app = fixture.app();
    let mut browser = Browser::new();
    browser.visit(&app, "/count").await;
    let old = browser.id().unwrap();

    // Two requests that were sent before the response to the login arrived, and whose responses arrive after it.
    let (reads, writes) = (browser.request("/user"), browser.request("/count"));
    browser.visit(&app, "/login").await;
    let id = browser.id().unwrap();
    let response = ask(&app, reads).await;
    browser.keep(&response);
    assert_eq!(text(response), "None");
    let response = ask(&app, writes).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    browser.keep(&response);

    assert_ne!(id, old);
    assert_eq!(browser.id(), Some(id));
    assert_eq!(text(browser.visit(&app, "/user").await), "Some(String(\"ada\"))");
}

#[tokio::test]
async fn a_request_that_had_started_before_the_id_changed_does_not_put_the_old_one_back() {
    let fixture = fixture();
    let (at_work, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (working, going) = (Arc::clone(&at_work), Arc::clone(&go_on));
    let slow = fixture.serve(move |session| {
        let (working, going) = (Arc::clone(&working), Arc::clone(&going));
        async move {
            session.start_readonly().await?;
            working.notify_one();
            going.notified().await;
            session.update(COUNT, |count| *count += 1).unwrap_err();
            session.start().await?;
            Ok(Response::new(String::new()))
        }
    });
    let app = fixture.app();
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
    let fixture = fixture();
    let app = fixture.app();
    let mut browser = Browser::new();
    browser.visit(&app, "/login").await;
    let id = browser.id().unwrap();
    let response = browser.visit(&app, "/logout").await;
    assert_eq!(lines(&response, SET_COOKIE), [REMOVAL]);
    assert_eq!(browser.id(), None);
    let response = browser.visit(&app, "/logout").await;
    assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
    assert_eq!(text(ask(&app, request_of(&id, "/user")).await), "None");
}

#[tokio::test]
async fn a_session_that_begins_and_ends_in_one_visit_leaves_no_trace() {
    let fixture = fixture();
    let app = fixture.serve(async |session| {
        session.start().await?;
        session.set(COUNT, 1)?;
        session.close().await?;
        session.destroy().await?;
        Ok(Response::new(String::new()))
    });
    let response = ask(&app, request("/")).await;
    assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
}

#[tokio::test]
async fn one_session_can_end_and_another_begin_in_one_visit() {
    let fixture = fixture();
    let app = fixture.serve(async |session| {
        session.destroy().await?;
        session.start().await?;
        session.set(COUNT, 5)?;
        Ok(Response::new(String::new()))
    });
    let mut browser = Browser::new();
    browser.visit(&fixture.app(), "/count").await;
    let first = browser.id().unwrap();
    let response = browser.visit(&app, "/").await;
    assert_eq!(lines(&response, SET_COOKIE).len(), 1);
    let second = browser.id().unwrap();
    assert_eq!(fixture.count_of(&first).await, None);
    assert_eq!(fixture.count_of(&second).await, Some(5));
}

/// The server detects idleness: a cookie that every response sets again could overwrite a newer id each time.
#[tokio::test(start_paused = true)]
async fn a_cookie_lasts_until_the_fixed_end_and_is_not_set_again() {
    let fixture = fixture_with(|builder| builder.default_expiration(Expiration::sliding(20 * MINUTE).at_most(HOUR)));
    let app = fixture.app();
    let response = ask(&app, request("/count")).await;
    assert!(lines(&response, SET_COOKIE)[0].contains("; Max-Age=3600;"));
    let mut browser = Browser::new();
    browser.keep(&response);
    for path in ["/peek", "/count", "/count-and-500", "/peek", "/count"] {
        tokio::time::advance(11 * MINUTE).await;
        let response = ask(&app, browser.request(path)).await;
        assert_eq!(lines(&response, SET_COOKIE), [""; 0], "{path}");
    }
    assert_eq!(text(ask(&app, browser.request("/count")).await), "4");
    // The session ends after an hour, even though the cookie lasts longer.
    tokio::time::advance(5 * MINUTE + Duration::from_millis(1)).await;
    assert_eq!(text(ask(&app, browser.request("/peek")).await), "None");
}

#[tokio::test(start_paused = true)]
async fn the_cookie_follows_the_expiration_of_the_session() {
    let fixture = fixture_with(|builder| builder.default_expiration(Expiration::Transient));
    let app = fixture.app();
    let setting = |expiration: Expiration| {
        fixture.serve(move |session: Session| async move {
            session.start().await?;
            session.set_expiration(expiration)?;
            Ok(Response::new(String::new()))
        })
    };
    let mut browser = Browser::new();
    let response = browser.visit(&app, "/count").await;
    assert!(!lines(&response, SET_COOKIE)[0].contains("Max-Age"));
    let id = browser.id();
    for (expiration, expected) in [
        (Expiration::Never, "; Max-Age=34560000;"),
        (Expiration::Transient, "; Path=/;"),
        (Expiration::After(30 * DAY), "; Max-Age=2592000;"),
        (Expiration::sliding(DAY).into(), "; Max-Age=34560000;"),
        (Expiration::sliding(DAY).at_most(7 * DAY).into(), "; Max-Age=604800;"),
    ] {
        let response = browser.visit(&setting(expiration), "/").await;
        let set = lines(&response, SET_COOKIE);
        let cookie = set
            .iter()
            .find(|line| line.starts_with("__Host-SID="))
            .expect("it is set");
        assert!(cookie.contains(expected), "{expiration:?}: {cookie}");
        assert_eq!(browser.id(), id);
        for path in ["/peek", "/count"] {
            let response = browser.visit(&app, path).await;
            assert_eq!(lines(&response, SET_COOKIE), [""; 0], "{expiration:?}: {path}");
        }
    }
}

/// Browsers delete cookies after 400 days.
#[tokio::test(start_paused = true)]
async fn a_session_in_use_outlives_the_cookie_limit_of_browsers() {
    for expiration in [
        Expiration::Never,
        Expiration::After(1_000 * DAY),
        Expiration::sliding(90 * DAY).into(),
    ] {
        let fixture = fixture_with(|builder| builder.default_expiration(expiration));
        let app = fixture.app();
        let mut browser = Browser::new();
        browser.visit(&app, "/count").await;
        let id = browser.id();
        let mut times_set = 0;
        for _ in 0..19 {
            tokio::time::advance(50 * DAY).await;
            let response = browser.visit(&app, "/peek").await;
            times_set += lines(&response, SET_COOKIE).len();
            assert_eq!(text(response), "Some(1)", "{expiration:?}");
        }
        assert_eq!(browser.id(), id);
        assert_eq!(times_set, 9, "every hundred days: {expiration:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn lifetimes_are_rounded_and_capped() {
    for (expiration, expected) in [
        (Expiration::After(90 * MINUTE), "; Max-Age=5400; "),
        (Expiration::After(Duration::from_millis(1_999)), "; Max-Age=1; "),
        // A lifetime of zero would remove the cookie.
        (Expiration::After(Duration::from_millis(300)), "; Max-Age=1; "),
        (Expiration::After(400 * DAY), "; Max-Age=34560000; "),
        (Expiration::After(1_000 * DAY), "; Max-Age=34560000; "),
        (Expiration::Never, "; Max-Age=34560000; "),
        (Expiration::Transient, "; Path=/; "),
        (Expiration::sliding(HOUR).or_transient().into(), "; Path=/; "),
    ] {
        let fixture = fixture_with(|builder| builder.default_expiration(expiration));
        let response = ask(&fixture.app(), request("/count")).await;
        let set = lines(&response, SET_COOKIE);
        let behind_value = &set[0]["__Host-SID=".len() + SessionId::LEN..];
        assert!(behind_value.starts_with(expected), "{expiration:?}: {behind_value}");
        assert_eq!(behind_value.contains("Max-Age"), expected.contains("Max-Age"));
    }
}

#[tokio::test]
async fn window_cookies_exist_while_there_is_transient_data() {
    let fixture = fixture();
    let transient = fixture.serve(async |session| {
        session.start().await?;
        session.set_with_expiration(COUNT, 3, Expiration::Transient)?;
        Ok(Response::new(String::new()))
    });
    let lasting = fixture.serve(async |session| {
        session.start().await?;
        session.unset(COUNT)?;
        session.set("kept", 1)?;
        Ok(Response::new(String::new()))
    });
    let app = fixture.app();
    let mut browser = Browser::new();
    let response = browser.visit(&transient, "/").await;
    let set = lines(&response, SET_COOKIE);
    assert_eq!(set.len(), 3);
    let window = browser.cookie("__Host-ST").unwrap();
    assert_eq!(
        set[1],
        format!("__Host-ST={window}; Path=/; HttpOnly; SameSite=Lax; Secure")
    );
    assert_eq!(
        set[2],
        format!("__Host-SW={window}; Max-Age=34560000; Path=/; HttpOnly; SameSite=Lax; Secure")
    );

    // They are set once, and a visit that does not read the session cannot know that they are missing.
    for path in ["/nothing", "/peek", "/count"] {
        let response = browser.visit(&app, path).await;
        assert_eq!(lines(&response, SET_COOKIE), [""; 0], "{path}");
    }
    let response = browser.visit(&lasting, "/").await;
    assert_eq!(lines(&response, SET_COOKIE), WINDOW_REMOVED);
    assert_eq!(browser.cookie("__Host-ST"), None);
    assert!(browser.id().is_some());
}

/// Requests run in parallel, and their responses may never arrive.
#[tokio::test]
async fn a_request_that_was_sent_before_the_window_got_an_id_ends_nothing() {
    for expiration in [None, Some(Expiration::sliding(HOUR).or_transient())] {
        let fixture = fixture();
        let transient = fixture.serve(move |session: Session| async move {
            session.start().await?;
            session.set_with_expiration("draft", "tea", Expiration::Transient)?;
            if let Some(expiration) = expiration {
                session.set_expiration(expiration)?;
            }
            Ok(Response::new(String::new()))
        });
        let draft = fixture.serve(async |session| {
            session.start_readonly().await?;
            Ok(Response::new(format!("{:?}", session.get("draft")?)))
        });
        let mut browser = Browser::new();
        browser.visit(&fixture.app(), "/count").await;
        let early = browser.request("/");
        let late = ask(&transient, browser.request("/")).await;
        assert_eq!(
            text(ask(&draft, early).await),
            "Some(String(\"tea\"))",
            "{expiration:?}"
        );
        browser.keep(&late);
        assert_eq!(
            text(browser.visit(&draft, "/").await),
            "Some(String(\"tea\"))",
            "{expiration:?}"
        );
    }
}

#[tokio::test]
async fn closing_the_window_ends_transient_data_and_nothing_else() {
    let fixture = fixture();
    let both = fixture.serve(async |session| {
        session.start().await?;
        session.set_with_expiration(COUNT, 3, Expiration::Transient)?;
        session.set("user", "ada")?;
        Ok(Response::new(String::new()))
    });
    let app = fixture.app();
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
    let fixture = fixture_with(|builder| builder.default_expiration(Expiration::Transient));
    let app = fixture.app();
    let mut browser = Browser::new();
    browser.visit(&app, "/count").await;
    let id = browser.id().unwrap();
    browser.restart();
    assert_eq!(browser.id(), None);
    // Holds even for a browser that restores its cookies after a restart, except the transient window cookie.
    let mut request = browser.request("/peek");
    let marker = browser.cookie("__Host-SW").expect("it is kept");
    let cookies = format!("__Host-SID={}; __Host-SW={marker}", id.expose());
    request.headers_mut().insert(COOKIE, cookies.parse().unwrap());
    let response = ask(&app, request).await;
    assert_eq!(text(response), "None");
    assert_eq!(fixture.count_of(&id).await, None);
}

#[tokio::test]
async fn logging_out_removes_all_cookies() {
    let fixture = fixture_with(|builder| builder.default_expiration(Expiration::Transient));
    let app = fixture.app();
    let mut browser = Browser::new();
    browser.visit(&app, "/login").await;
    assert!(browser.cookie("__Host-ST").is_some());
    let response = browser.visit(&app, "/logout").await;
    assert_eq!(lines(&response, SET_COOKIE), [&[REMOVAL], &WINDOW_REMOVED[..]].concat());
    assert_eq!(browser.cookie("__Host-ST"), None);
    assert_eq!(browser.cookie("__Host-SW"), None);
    assert_eq!(browser.id(), None);
}

/// A cookie for the parent domain, or for another partition, can have the same name.
#[tokio::test]
async fn among_several_cookies_of_the_name_the_one_that_names_a_session_is_used() {
    let fixture = fixture();
    let app = fixture.app();
    let id = fixture.stored(5).await;
    let dead = || SessionId::generate(&OsEntropy).expose().to_owned();
    let (first, second) = (dead(), dead());
    let live = id.expose();
    for cookies in [
        [live, &first, &second],
        [&first, live, &second],
        [&first, &second, live],
    ] {
        let request = |path| {
            let cookies = cookies.map(|value| format!("__Host-SID={value}")).join("; ");
            Request::get(path).header(COOKIE, cookies).body(()).unwrap()
        };
        let response = ask(&app, request("/peek")).await;
        assert_eq!(lines(&response, SET_COOKIE), [""; 0], "{cookies:?}");
        assert_eq!(text(response), "Some(5)");
    }
    let cookies = format!("__Host-SID={first}; __Host-SID={live}");
    let both = |path| Request::get(path).header(COOKIE, &cookies).body(()).unwrap();
    assert_eq!(text(ask(&app, both("/count")).await), "6");
    // It is unknown which of them the browser would delete.
    let response = ask(&app, both("/logout")).await;
    assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
    assert_eq!(fixture.count_of(&id).await, None);
}

#[tokio::test]
async fn a_login_whose_response_was_lost_can_be_repeated_after_a_logout() {
    let fixture = fixture();
    let app = fixture.app();
    let mut browser = Browser::new();
    browser.visit(&app, "/count").await;
    let _lost = ask(&app, browser.request("/login")).await;
    // The browser still has the old id. Destroying the session that it leads to allows a new login.
    let again = fixture.serve(async |session| {
        session.destroy().await?;
        session.start().await?;
        session.regenerate_id()?;
        session.set("user", "ada")?;
        Ok(Response::new("welcome".to_owned()))
    });
    let response = browser.visit(&again, "/").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(browser.visit(&app, "/user").await), "Some(String(\"ada\"))");
}

/// Both applications use the same cookie name on one host, and ports do not separate cookies.
#[tokio::test]
async fn an_application_that_only_reads_does_not_log_out_of_its_neighbour() {
    let (ours, theirs) = (fixture(), fixture());
    let (ours, theirs) = (ours.app(), theirs.app());
    let mut browser = Browser::new();
    browser.visit(&ours, "/login").await;
    let id = browser.id();
    for path in ["/peek", "/logout", "/user"] {
        let response = browser.visit(&theirs, path).await;
        assert_eq!(lines(&response, SET_COOKIE), [""; 0], "{path}");
    }
    assert_eq!(browser.id(), id);
    assert_eq!(text(browser.visit(&ours, "/user").await), "Some(String(\"ada\"))");
}

/// Parallel requests of a visitor with an expired session, one of which logs in.
#[tokio::test(start_paused = true)]
async fn late_responses_about_an_expired_id_leave_the_newer_login_alone() {
    let fixture = fixture_with(|builder| builder.default_expiration(Expiration::sliding(20 * MINUTE)));
    let app = fixture.app();
    let mut browser = Browser::new();
    browser.visit(&app, "/count").await;
    tokio::time::advance(HOUR).await;
    let late: Vec<_> = ["/peek", "/user", "/logout", "/count-and-500"]
        .map(|path| browser.request(path))
        .into();
    browser.visit(&app, "/login").await;
    let id = browser.id();
    for request in late {
        let response = ask(&app, request).await;
        browser.keep(&response);
        assert_eq!(browser.id(), id);
    }
    assert_eq!(text(browser.visit(&app, "/user").await), "Some(String(\"ada\"))");
}

/// A request that runs until the tombstone of its id has expired.
#[tokio::test(start_paused = true)]
async fn a_long_poll_that_outlives_the_tombstone_of_its_id_leaves_the_newer_login_alone() {
    let fixture = fixture();
    let (app, poll) = (fixture.app(), async |session: Session| {
        tokio::time::sleep(10 * MINUTE).await;
        session.start_readonly().await?;
        Ok(Response::new(String::new()))
    });
    let poll = fixture.serve(poll);
    let mut browser = Browser::new();
    browser.visit(&app, "/count").await;
    let slow = tokio::spawn(poll.oneshot(browser.request("/")));
    tokio::task::yield_now().await;
    browser.visit(&app, "/login").await;
    let id = browser.id();
    let response = slow.await.unwrap().unwrap();
    browser.keep(&response);
    assert_eq!(browser.id(), id);
    assert_eq!(text(browser.visit(&app, "/user").await), "Some(String(\"ada\"))");
}
