//! Tests carriers on requests with several ids, and on window cookies.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, Request};
use sessile_core::{IdChange, Outcome, Session, SessionId, ShownWindow, Visit, WindowChange, WindowId};
use sessile_memory::MemoryStorage;
use sessile_tower::{Candidates, Carrier, CookieCarrier, Extracted, HeaderCarrier, RequestHead};

const FIRST: &str = "first-0123456789";
const SECOND: &str = "second-012345678";

fn extract(carrier: &impl Carrier, name: &HeaderName, lines: &[String]) -> Candidates {
    let mut request = Request::new(());
    for line in lines {
        request.headers_mut().append(name, line.parse().unwrap());
    }
    let mut candidates = Candidates::new();
    carrier.read(&RequestHead::of(&request), &mut candidates);
    candidates
}

fn in_cookies(carrier: &CookieCarrier, line: &str) -> Candidates {
    extract(carrier, &COOKIE, &[line.to_owned()])
}

fn ids(candidates: &Candidates) -> Vec<&str> {
    candidates.ids().map(SessionId::expose).collect()
}

/// Returns the outcome of a visit that changed nothing, whose fields tests change.
fn outcome() -> Outcome {
    let session: Session = Session::builder(MemoryStorage::builder().sweeper(false).build()).build();
    session.open(Visit::new()).outcome()
}

fn written(carrier: &impl Carrier, outcome: &Outcome, extracted: &Extracted<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    carrier.write(outcome, extracted, &mut headers);
    headers
}

fn set_cookies(headers: &HeaderMap) -> Vec<&str> {
    let lines = headers.get_all(SET_COOKIE).iter();
    lines.map(|line| line.to_str().unwrap()).collect()
}

#[test]
fn every_well_formed_cookie_of_the_name_is_extracted_in_order() {
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
        let candidates = extract(&carrier, &COOKIE, &lines);
        assert_eq!(ids(&candidates), expected, "{lines:?}");
    }
}

#[test]
fn no_more_ids_are_kept_than_a_visit_tries() {
    let many: Vec<_> = (10..40).map(|number| format!("{number}-0123456789abcd")).collect();
    let cookies: Vec<_> = many.iter().map(|id| format!("__Host-SID={id}")).collect();
    let candidates = in_cookies(&CookieCarrier::default(), &cookies.join("; "));
    assert_eq!(ids(&candidates), many[..Visit::MAX_CANDIDATES]);
}

#[test]
fn a_removal_that_could_hit_another_cookie_is_not_sent() {
    let carrier = CookieCarrier::default();
    let mut removed = outcome();
    removed.id = IdChange::Remove;
    removed.read = true;
    let removals = |cookies: &str, candidate| {
        let candidates = in_cookies(&carrier, cookies);
        set_cookies(&written(&carrier, &removed, &candidates.extracted(candidate))).len()
    };
    let (first, second) = (format!("__Host-SID={FIRST}"), format!("__Host-SID={SECOND}"));
    assert_eq!(removals(&first, Some(0)), 1);
    // The same id twice names one session, so a removal can hit no other.
    assert_eq!(removals(&format!("{first}; {first}"), Some(0)), 1);
    for candidate in [None, Some(0), Some(1)] {
        assert_eq!(removals(&format!("{first}; {second}"), candidate), 0);
    }
    assert_eq!(removals("a=b", None), 0);
}

#[test]
fn an_id_is_set_even_if_several_were_received() {
    let carrier = CookieCarrier::default();
    let mut set = outcome();
    set.id = IdChange::Set {
        id: SessionId::parse("third-0123456789").unwrap(),
        max_age: None,
    };
    let candidates = in_cookies(&carrier, &format!("__Host-SID={FIRST}; __Host-SID={SECOND}"));
    assert_eq!(
        set_cookies(&written(&carrier, &set, &candidates.extracted(Some(1)))),
        ["__Host-SID=third-0123456789; Path=/; HttpOnly; SameSite=Lax; Secure"]
    );
}

#[test]
fn a_repeated_header_is_written_only_for_a_new_id() {
    let name = HeaderName::from_static("x-session-id");
    let carrier = HeaderCarrier::default();
    let candidates = extract(
        &carrier,
        &name,
        &[FIRST.to_owned(), "no id".to_owned(), SECOND.to_owned()],
    );
    assert_eq!(ids(&candidates), [FIRST, SECOND]);
    let mut set = outcome();
    set.id = IdChange::Set {
        id: SessionId::parse(SECOND).unwrap(),
        max_age: None,
    };
    assert!(written(&carrier, &set, &candidates.extracted(Some(1))).is_empty());
    assert_eq!(written(&carrier, &set, &candidates.extracted(Some(0)))[&name], SECOND);
}

#[test]
fn only_a_persistent_window_cookie_without_a_transient_one_proves_a_closed_window() {
    let carrier = CookieCarrier::default();
    let window = |text: &str| WindowId::parse_bytes(text.as_bytes()).unwrap();
    let (one, two) = (window("window-1"), window("window-2"));
    for (cookies, expected) in [
        ("", ShownWindow::Nothing),
        ("__Host-SW=window-1", ShownWindow::Closed(one)),
        ("__Host-ST=window-1; __Host-SW=window-1", ShownWindow::Open(one)),
        ("__Host-SW=window-1; __Host-ST=window-1", ShownWindow::Open(one)),
        // Both will be set again.
        ("__Host-ST=window-1", ShownWindow::Nothing),
        // The transient cookie is present, even with an invalid value.
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
        let candidates = in_cookies(&carrier, cookies);
        assert_eq!(candidates.extracted(None).window, expected, "{cookies}");
    }
    let without_windows = CookieCarrier::builder().without_window_cookies().build().unwrap();
    let candidates = in_cookies(&without_windows, "__Host-SW=window-1");
    assert_eq!(candidates.extracted(None).window, ShownWindow::Nothing);
}

/// Responses that change only one of the two could, in some order of arrival, prove a closed window that is open.
#[test]
fn both_window_cookies_are_changed_or_neither() {
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
        let candidates = in_cookies(&carrier, cookies);
        let extracted = candidates.extracted(None);
        assert_eq!(set_cookies(&written(&carrier, &set, &extracted)), SET, "{cookies}");
        assert_eq!(
            set_cookies(&written(&carrier, &removed, &extracted)),
            REMOVED,
            "{cookies}"
        );
        assert!(written(&carrier, &outcome(), &extracted).is_empty(), "{cookies}");
    }
    let nothing = Extracted::default();
    assert_eq!(set_cookies(&written(&carrier, &set, &nothing)), SET);
    assert!(written(&carrier, &removed, &nothing).is_empty());

    let without_windows = CookieCarrier::builder().without_window_cookies().build().unwrap();
    let candidates = in_cookies(&without_windows, "__Host-ST=window-1; __Host-SW=window-1");
    for outcome in [&set, &removed] {
        assert!(written(&without_windows, outcome, &candidates.extracted(None)).is_empty());
    }
}

#[test]
fn the_number_of_decoded_cookies_is_limited() {
    let carrier = CookieCarrier::default();
    let good = SessionId::parse(FIRST).unwrap();
    for (others, is_found) in [(31, true), (32, false)] {
        let mut cookies = vec!["__Host-SID=no".to_owned(); others];
        cookies.push(format!("__Host-SID={}", good.expose()));
        let request = Request::get("/").header(COOKIE, cookies.join("; ")).body(()).unwrap();
        let mut candidates = Candidates::new();
        carrier.read(&RequestHead::of(&request), &mut candidates);
        assert_eq!(candidates.ids().any(|id| *id == good), is_found, "{others}");
    }
}
