//! Requests that show several ids, and what they show of the browser's window: what carriers make of them.

// In a helper, too, an unwrap is an assertion.
#![allow(clippy::unwrap_used)]

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, Request};
use sessile_core::{IdChange, Outcome, Session, SessionId, ShownWindow, Visit, WindowChange, WindowId};
use sessile_memory::MemoryStorage;
use sessile_tower::{Carrier, CookieCarrier, Found, HeaderCarrier, Presented, RequestHead};

const FIRST: &str = "first-0123456789";
const SECOND: &str = "second-012345678";

fn found(carrier: &impl Carrier, name: &HeaderName, lines: &[String]) -> Found {
    let mut request = Request::new(());
    for line in lines {
        request.headers_mut().append(name, line.parse().unwrap());
    }
    let mut found = Found::new();
    carrier.read(&RequestHead::of(&request), &mut found);
    found
}

fn in_cookies(carrier: &CookieCarrier, line: &str) -> Found {
    found(carrier, &COOKIE, &[line.to_owned()])
}

fn ids(found: &Found) -> Vec<&str> {
    found.ids().map(SessionId::expose).collect()
}

/// What a visit concludes that concludes nothing; its fields can be changed.
fn outcome() -> Outcome {
    let session: Session = Session::builder(MemoryStorage::builder().sweeper(false).build()).build();
    session.open(Visit::new()).outcome()
}

fn written(carrier: &impl Carrier, outcome: &Outcome, presented: &Presented<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    carrier.write(outcome, presented, &mut headers);
    headers
}

fn set_cookies(headers: &HeaderMap) -> Vec<&str> {
    let lines = headers.get_all(SET_COOKIE).iter();
    lines.map(|line| line.to_str().unwrap()).collect()
}

#[test]
fn every_well_formed_cookie_of_the_name_is_found_in_the_order_they_came() {
    let carrier = CookieCarrier::default();
    for (lines, expected) in [
        (
            vec![format!("__Host-SID={FIRST}; __Host-SID={SECOND}")],
            &[FIRST, SECOND][..],
        ),
        (
            vec![format!("__Host-SID={FIRST}"), format!("__Host-SID={SECOND}")],
            &[FIRST, SECOND],
        ),
        (
            vec![format!(
                "__Host-SID=; __Host-SID=bad id; __Host-SID=short; __Host-SID={FIRST}; __Host-SID={SECOND}"
            )],
            &[FIRST, SECOND],
        ),
        (
            vec![format!(
                "__host-sid={SECOND}; SID={SECOND}; x__Host-SID={SECOND}; __Host-SID = {FIRST} "
            )],
            &[FIRST],
        ),
        (
            vec![format!("a={SECOND};;;=;b; __Host-SID=\"{SECOND}\"; __Host-SID={FIRST}")],
            &[FIRST],
        ),
        (vec![format!("__Host-SID={FIRST}; __Host-SID={FIRST}")], &[FIRST]),
    ] {
        let found = found(&carrier, &COOKIE, &lines);
        assert_eq!(ids(&found), expected, "{lines:?}");
    }
}

#[test]
fn no_more_ids_are_kept_than_a_visit_tries() {
    let many: Vec<_> = (10..40).map(|number| format!("{number}-0123456789abcd")).collect();
    let cookies: Vec<_> = many.iter().map(|id| format!("__Host-SID={id}")).collect();
    let found = in_cookies(&CookieCarrier::default(), &cookies.join("; "));
    assert_eq!(ids(&found), many[..Visit::MAX_CANDIDATES]);
}

#[test]
fn a_removal_that_could_hit_another_cookie_is_not_sent() {
    let carrier = CookieCarrier::default();
    let mut removed = outcome();
    removed.id = IdChange::Remove;
    removed.read = true;
    let removals = |cookies: &str, candidate| {
        let found = in_cookies(&carrier, cookies);
        set_cookies(&written(&carrier, &removed, &found.presented(candidate))).len()
    };
    let (first, second) = (format!("__Host-SID={FIRST}"), format!("__Host-SID={SECOND}"));
    assert_eq!(removals(&first, Some(0)), 1);
    // The same id twice is one session, and there is nothing else to hit.
    assert_eq!(removals(&format!("{first}; {first}"), Some(0)), 1);
    for candidate in [None, Some(0), Some(1)] {
        assert_eq!(removals(&format!("{first}; {second}"), candidate), 0);
    }
    assert_eq!(removals("a=b", None), 0);
}

#[test]
fn an_id_is_set_though_several_came() {
    let carrier = CookieCarrier::default();
    let mut set = outcome();
    set.id = IdChange::Set {
        id: SessionId::parse("third-0123456789").unwrap(),
        max_age: None,
    };
    let found = in_cookies(&carrier, &format!("__Host-SID={FIRST}; __Host-SID={SECOND}"));
    assert_eq!(
        set_cookies(&written(&carrier, &set, &found.presented(Some(1)))),
        ["__Host-SID=third-0123456789; Path=/; HttpOnly; SameSite=Lax; Secure"]
    );
}

#[test]
fn a_header_that_came_twice_repeats_only_an_id_that_is_new() {
    let name = HeaderName::from_static("x-session-id");
    let carrier = HeaderCarrier::default();
    let found = found(
        &carrier,
        &name,
        &[FIRST.to_owned(), "no id".to_owned(), SECOND.to_owned()],
    );
    assert_eq!(ids(&found), [FIRST, SECOND]);
    let mut set = outcome();
    set.id = IdChange::Set {
        id: SessionId::parse(SECOND).unwrap(),
        max_age: None,
    };
    assert!(written(&carrier, &set, &found.presented(Some(1))).is_empty());
    assert_eq!(written(&carrier, &set, &found.presented(Some(0)))[&name], SECOND);
}

#[test]
fn only_a_marker_without_any_companion_shows_a_closed_window() {
    let carrier = CookieCarrier::default();
    let window = |text: &str| WindowId::parse_bytes(text.as_bytes()).unwrap();
    let (one, two) = (window("window-1"), window("window-2"));
    for (cookies, expected) in [
        ("", ShownWindow::Nothing),
        ("__Host-SW=window-1", ShownWindow::Closed(one)),
        ("__Host-ST=window-1; __Host-SW=window-1", ShownWindow::Open(one)),
        ("__Host-SW=window-1; __Host-ST=window-1", ShownWindow::Open(one)),
        // Both will be set anew.
        ("__Host-ST=window-1", ShownWindow::Nothing),
        // Whatever the companion holds, it is there.
        ("__Host-ST=1; __Host-SW=window-1", ShownWindow::Nothing),
        ("__Host-ST=; __Host-SW=window-1", ShownWindow::Nothing),
        ("__Host-ST=window-2; __Host-SW=window-1", ShownWindow::Open(two)),
        (
            "__Host-SW=window-1; __Host-SW=window-2; __Host-ST=window-2",
            ShownWindow::Open(two),
        ),
        (
            "__Host-ST=window-1; __Host-ST=window-2; __Host-SW=window-2",
            ShownWindow::Open(one),
        ),
        (
            "__Host-ST=x; __Host-ST=window-2; __Host-SW=window-2",
            ShownWindow::Open(two),
        ),
        ("__Host-SW=not a window; __Host-SW=window-2", ShownWindow::Closed(two)),
        ("ST=window-1; __host-sw=window-1; SW=window-1", ShownWindow::Nothing),
    ] {
        let found = in_cookies(&carrier, cookies);
        assert_eq!(found.presented(None).window, expected, "{cookies}");
    }
    let untold = CookieCarrier::builder().without_companion().build().unwrap();
    let found = in_cookies(&untold, "__Host-SW=window-1");
    assert_eq!(found.presented(None).window, ShownWindow::Nothing);
}

/// Answers that set or remove one of the two and not the other would prove what has not happened, in some order.
#[test]
fn both_cookies_of_a_window_are_touched_or_neither() {
    const SET: [&str; 2] = [
        "__Host-ST=window-9; Path=/; HttpOnly; SameSite=Lax; Secure",
        "__Host-SW=window-9; Max-Age=34560000; Path=/; HttpOnly; SameSite=Lax; Secure",
    ];
    const REMOVED: [&str; 2] = [
        "__Host-SW=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure",
        "__Host-ST=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure",
    ];
    let carrier = CookieCarrier::default();
    let (mut set, mut removed) = (outcome(), outcome());
    set.window = WindowChange::Set(WindowId::parse_bytes(b"window-9").unwrap());
    removed.window = WindowChange::Remove;
    for cookies in [
        "__Host-ST=window-1",
        "__Host-SW=window-1",
        "__Host-ST=1",
        "__Host-ST=window-1; __Host-SW=window-1",
    ] {
        let found = in_cookies(&carrier, cookies);
        let presented = found.presented(None);
        assert_eq!(set_cookies(&written(&carrier, &set, &presented)), SET, "{cookies}");
        assert_eq!(
            set_cookies(&written(&carrier, &removed, &presented)),
            REMOVED,
            "{cookies}"
        );
        assert!(written(&carrier, &outcome(), &presented).is_empty(), "{cookies}");
    }
    let nothing = Presented::default();
    assert_eq!(set_cookies(&written(&carrier, &set, &nothing)), SET);
    assert!(written(&carrier, &removed, &nothing).is_empty());

    let untold = CookieCarrier::builder().without_companion().build().unwrap();
    let found = in_cookies(&untold, "__Host-ST=window-1; __Host-SW=window-1");
    for outcome in [&set, &removed] {
        assert!(written(&untold, outcome, &found.presented(None)).is_empty());
    }
}

#[test]
fn no_request_makes_the_carrier_look_into_cookies_without_end() {
    let carrier = CookieCarrier::default();
    let good = SessionId::parse(FIRST).unwrap();
    for (others, is_found) in [(31, true), (32, false)] {
        let mut cookies = vec!["__Host-SID=no".to_owned(); others];
        cookies.push(format!("__Host-SID={}", good.expose()));
        let request = Request::get("/").header(COOKIE, cookies.join("; ")).body(()).unwrap();
        let mut found = Found::new();
        carrier.read(&RequestHead::of(&request), &mut found);
        assert_eq!(found.ids().any(|id| *id == good), is_found, "{others}");
    }
}
