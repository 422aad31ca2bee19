//! What a browser gets to keep, over several visits.

// In a helper, too, an unwrap is an assertion.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response, StatusCode};
use sessile_core::{DAY, Expiration, HOUR, MINUTE, OsEntropy, Session, SessionId};
use tokio::sync::Notify;
use tower::ServiceExt as _;

use self::common::{Browser, COUNT, ask, lines, request, request_of, text, world, world_with};

const WINDOW_REMOVED: [&str; 2] = [
    "__Host-SW=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure",
    "__Host-ST=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure",
];
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
        "__Host-SID={}; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax; Secure",
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
        // Another application on the host may have set it, or a login that this request overtook.
        let answer = ask(&app, request_of(&id, "/peek")).await;
        assert_eq!(lines(&answer, SET_COOKIE), [""; 0]);

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

/// Idleness is for the server to notice: a cookie that is set again and again can put an old id in the place of a newer
/// one each time.
#[tokio::test(start_paused = true)]
async fn a_cookie_is_set_until_the_end_that_nothing_moves_and_stays_as_it_is() {
    let world = world_with(|builder| builder.default_expiration(Expiration::sliding(20 * MINUTE).at_most(HOUR)));
    let app = world.app();
    let answer = ask(&app, request("/count")).await;
    assert!(lines(&answer, SET_COOKIE)[0].contains("; Max-Age=3600;"));
    let mut browser = Browser::new();
    browser.keep(&answer);
    for path in ["/peek", "/count", "/count-and-500", "/peek", "/count"] {
        tokio::time::advance(11 * MINUTE).await;
        let answer = ask(&app, browser.request(path)).await;
        assert_eq!(lines(&answer, SET_COOKIE), [""; 0], "{path}");
    }
    assert_eq!(text(ask(&app, browser.request("/count")).await), "4");
    // The session ends after its hour, whatever the cookie.
    tokio::time::advance(5 * MINUTE + Duration::from_millis(1)).await;
    assert_eq!(text(ask(&app, browser.request("/peek")).await), "None");
}

#[tokio::test(start_paused = true)]
async fn the_cookie_follows_when_the_session_is_to_be_remembered_or_no_longer() {
    let world = world_with(|builder| builder.default_expiration(Expiration::Transient));
    let app = world.app();
    let setting = |expiration: Expiration| {
        world.serve(move |session: Session| async move {
            session.start().await?;
            session.set_expiration(expiration)?;
            Ok(Response::new(String::new()))
        })
    };
    let mut browser = Browser::new();
    let answer = browser.visit(&app, "/count").await;
    assert!(!lines(&answer, SET_COOKIE)[0].contains("Max-Age"));
    let id = browser.id();
    for (expiration, expected) in [
        (Expiration::Never, "; Max-Age=34560000;"),
        (Expiration::Transient, "; Path=/;"),
        (Expiration::After(30 * DAY), "; Max-Age=2592000;"),
        (Expiration::sliding(DAY).into(), "; Max-Age=34560000;"),
        (Expiration::sliding(DAY).at_most(7 * DAY).into(), "; Max-Age=604800;"),
    ] {
        let answer = browser.visit(&setting(expiration), "/").await;
        let set = lines(&answer, SET_COOKIE);
        let cookie = set
            .iter()
            .find(|line| line.starts_with("__Host-SID="))
            .expect("it is set");
        assert!(cookie.contains(expected), "{expiration:?}: {cookie}");
        assert_eq!(browser.id(), id);
        for path in ["/peek", "/count"] {
            let answer = browser.visit(&app, path).await;
            assert_eq!(lines(&answer, SET_COOKIE), [""; 0], "{expiration:?}: {path}");
        }
    }
}

/// Browsers forget cookies after 400 days.
#[tokio::test(start_paused = true)]
async fn a_session_that_is_visited_outlives_what_browsers_keep() {
    for expiration in [
        Expiration::Never,
        Expiration::After(1_000 * DAY),
        Expiration::sliding(90 * DAY).into(),
    ] {
        let world = world_with(|builder| builder.default_expiration(expiration));
        let app = world.app();
        let mut browser = Browser::new();
        browser.visit(&app, "/count").await;
        let id = browser.id();
        let mut times_set = 0;
        for _ in 0..19 {
            tokio::time::advance(50 * DAY).await;
            let answer = browser.visit(&app, "/peek").await;
            times_set += lines(&answer, SET_COOKIE).len();
            assert_eq!(text(answer), "Some(1)", "{expiration:?}");
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
async fn the_cookies_of_the_window_stand_while_there_is_transient_data() {
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

    // They are set once, and a visit that does not look does not know.
    for path in ["/nothing", "/peek", "/count"] {
        let answer = browser.visit(&app, path).await;
        assert_eq!(lines(&answer, SET_COOKIE), [""; 0], "{path}");
    }
    let answer = browser.visit(&lasting, "/").await;
    assert_eq!(lines(&answer, SET_COOKIE), WINDOW_REMOVED);
    assert_eq!(browser.cookie("__Host-ST"), None);
    assert!(browser.id().is_some());
}

/// Requests are sent in parallel, and their answers may never arrive.
#[tokio::test]
async fn a_request_that_was_sent_before_the_window_had_a_name_ends_nothing() {
    for expiration in [None, Some(Expiration::sliding(HOUR).or_transient())] {
        let world = world();
        let transient = world.serve(move |session: Session| async move {
            session.start().await?;
            session.set_with_expiration("draft", "tea", Expiration::Transient)?;
            if let Some(expiration) = expiration {
                session.set_expiration(expiration)?;
            }
            Ok(Response::new(String::new()))
        });
        let draft = world.serve(async |session| {
            session.start_readonly().await?;
            Ok(Response::new(format!("{:?}", session.get("draft")?)))
        });
        let mut browser = Browser::new();
        browser.visit(&world.app(), "/count").await;
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
    let mut request = browser.request("/peek");
    let marker = browser.cookie("__Host-SW").expect("it is kept");
    let cookies = format!("__Host-SID={}; __Host-SW={marker}", id.expose());
    request.headers_mut().insert(COOKIE, cookies.parse().unwrap());
    let answer = ask(&app, request).await;
    assert_eq!(text(answer), "None");
    assert_eq!(world.count_of(&id).await, None);
}

#[tokio::test]
async fn logging_out_removes_all_cookies() {
    let world = world_with(|builder| builder.default_expiration(Expiration::Transient));
    let app = world.app();
    let mut browser = Browser::new();
    browser.visit(&app, "/login").await;
    assert!(browser.cookie("__Host-ST").is_some());
    let answer = browser.visit(&app, "/logout").await;
    assert_eq!(lines(&answer, SET_COOKIE), [&[REMOVAL], &WINDOW_REMOVED[..]].concat());
    assert_eq!(browser.cookie("__Host-ST"), None);
    assert_eq!(browser.cookie("__Host-SW"), None);
    assert_eq!(browser.id(), None);
}

/// As when a cookie for the parent domain, or for another partition, has the same name.
#[tokio::test]
async fn of_several_cookies_of_the_name_the_one_that_names_a_session_counts() {
    let world = world();
    let app = world.app();
    let id = world.stored(5).await;
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
        let answer = ask(&app, request("/peek")).await;
        assert_eq!(lines(&answer, SET_COOKIE), [""; 0], "{cookies:?}");
        assert_eq!(text(answer), "Some(5)");
    }
    let cookies = format!("__Host-SID={first}; __Host-SID={live}");
    let both = |path| Request::get(path).header(COOKIE, &cookies).body(()).unwrap();
    assert_eq!(text(ask(&app, both("/count")).await), "6");
    // Nobody knows which of them the browser would forget.
    let answer = ask(&app, both("/logout")).await;
    assert_eq!(lines(&answer, SET_COOKIE), [""; 0]);
    assert_eq!(world.count_of(&id).await, None);
}

#[tokio::test]
async fn a_login_whose_answer_was_lost_can_be_tried_again_by_logging_out() {
    let world = world();
    let app = world.app();
    let mut browser = Browser::new();
    browser.visit(&app, "/count").await;
    let _lost = ask(&app, browser.request("/login")).await;
    // The browser has the old id still. To end whatever it leads to opens the way.
    let again = world.serve(async |session| {
        session.destroy().await?;
        session.start().await?;
        session.regenerate_id()?;
        session.set("user", "ada")?;
        Ok(Response::new("welcome".to_owned()))
    });
    let answer = browser.visit(&again, "/").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(text(browser.visit(&app, "/user").await), "Some(String(\"ada\"))");
}

/// They take the same cookie, as nobody told them of each other, and ports do not keep cookies apart.
#[tokio::test]
async fn an_application_that_only_looks_does_not_log_its_neighbour_out() {
    let (ours, theirs) = (world(), world());
    let (ours, theirs) = (ours.app(), theirs.app());
    let mut browser = Browser::new();
    browser.visit(&ours, "/login").await;
    let id = browser.id();
    for path in ["/peek", "/logout", "/user"] {
        let answer = browser.visit(&theirs, path).await;
        assert_eq!(lines(&answer, SET_COOKIE), [""; 0], "{path}");
    }
    assert_eq!(browser.id(), id);
    assert_eq!(text(browser.visit(&ours, "/user").await), "Some(String(\"ada\"))");
}

/// Parallel requests of a visitor whose session is over, one of which logs in.
#[tokio::test(start_paused = true)]
async fn late_answers_about_an_expired_id_leave_the_newer_login_alone() {
    let world = world_with(|builder| builder.default_expiration(Expiration::sliding(20 * MINUTE)));
    let app = world.app();
    let mut browser = Browser::new();
    browser.visit(&app, "/count").await;
    tokio::time::advance(HOUR).await;
    let late: Vec<_> = ["/peek", "/user", "/logout", "/count-and-500"]
        .map(|path| browser.request(path))
        .into();
    browser.visit(&app, "/login").await;
    let id = browser.id();
    for request in late {
        let answer = ask(&app, request).await;
        browser.keep(&answer);
        assert_eq!(browser.id(), id);
    }
    assert_eq!(text(browser.visit(&app, "/user").await), "Some(String(\"ada\"))");
}

/// A request that is still under way when the mark of its id is gone.
#[tokio::test(start_paused = true)]
async fn a_long_poll_that_outlives_the_mark_of_its_id_leaves_the_newer_login_alone() {
    let world = world();
    let (app, poll) = (world.app(), async |session: Session| {
        tokio::time::sleep(10 * MINUTE).await;
        session.start_readonly().await?;
        Ok(Response::new(String::new()))
    });
    let poll = world.serve(poll);
    let mut browser = Browser::new();
    browser.visit(&app, "/count").await;
    let slow = tokio::spawn(poll.oneshot(browser.request("/")));
    tokio::task::yield_now().await;
    browser.visit(&app, "/login").await;
    let id = browser.id();
    let answer = slow.await.unwrap().unwrap();
    browser.keep(&answer);
    assert_eq!(browser.id(), id);
    assert_eq!(text(browser.visit(&app, "/user").await), "Some(String(\"ada\"))");
}
