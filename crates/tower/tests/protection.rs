//! Tests signed and encrypted cookies.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use http::Request;
use http::header::{COOKIE, SET_COOKIE};
use proptest::prelude::*;
use sessile_core::SessionId;
use sessile_tower::{Candidates, Carrier as _, CookieCarrier, CookieCarrierBuilder, KeyError, KeyRing, RequestHead};

use self::common::{Browser, ask, fixture, lines, request_of, text};

type Protect = fn(CookieCarrierBuilder, KeyRing) -> CookieCarrierBuilder;

const BOTH: [(&str, Protect); 2] = [
    ("signed", CookieCarrierBuilder::signed),
    ("encrypted", CookieCarrierBuilder::encrypted),
];

const OLD: [u8; 32] = [1; 32];
const NEW: [u8; 32] = [2; 32];

fn ring(keys: &[[u8; 32]]) -> KeyRing {
    let mut keys = keys.iter();
    let ring = KeyRing::new(keys.next().unwrap()).unwrap();
    keys.fold(ring, |ring, key| ring.or(key).unwrap())
}

fn carrier(protect: Protect, name: &str, keys: &[[u8; 32]]) -> CookieCarrier {
    built(protect, name, ring(keys))
}

fn built(protect: Protect, name: &str, ring: KeyRing) -> CookieCarrier {
    let builder = CookieCarrier::builder()
        .name(name)
        .unprefixed()
        .without_window_cookies();
    protect(builder, ring).build().unwrap()
}

fn read(carrier: &CookieCarrier, name: &str, value: &str) -> Option<SessionId> {
    let request = Request::get("/").header(COOKIE, format!("{name}={value}"));
    let mut candidates = Candidates::new();
    carrier.read(&RequestHead::of(&request.body(()).ok()?), &mut candidates);
    candidates.ids().next().cloned()
}

/// Returns the cookie value of a new session.
async fn begin(carrier: &CookieCarrier) -> (String, SessionId) {
    let fixture = fixture();
    let app = fixture.app_behind(fixture.layer().carrier(carrier.clone()));
    let response = ask(&app, common::request("/count")).await;
    let cookie = lines(&response, SET_COOKIE).remove(0);
    let pair = cookie.split(';').next().unwrap();
    let value = pair.split_once('=').unwrap().1.to_owned();
    let id = read(carrier, pair.split_once('=').unwrap().0, &value).expect("it reads what it writes");
    (value, id)
}

#[tokio::test]
async fn protected_cookies_work_for_browsers_like_plain_ones() {
    for (how, protect) in BOTH {
        let fixture = fixture();
        let builder = protect(CookieCarrier::builder(), ring(&[NEW]));
        let app = fixture.app_behind(fixture.layer().carrier(builder.build().unwrap()));
        let mut browser = Browser::new();
        for count in 1..=3 {
            assert_eq!(text(browser.visit(&app, "/count").await), count.to_string(), "{how}");
        }
        browser.visit(&app, "/login").await;
        assert_eq!(
            text(browser.visit(&app, "/user").await),
            "Some(String(\"ada\"))",
            "{how}"
        );
        browser.visit(&app, "/logout").await;
        assert_eq!(browser.cookie("__Host-SID"), None, "{how}");
    }
}

#[tokio::test]
async fn an_id_in_a_forged_value_is_ignored() {
    for (how, protect) in BOTH {
        let fixture = fixture();
        let builder = protect(CookieCarrier::builder(), ring(&[NEW]));
        let app = fixture.app_behind(fixture.layer().carrier(builder.build().unwrap()));
        let id = fixture.stored(7).await;
        fixture.calls.reset();
        let response = ask(&app, request_of(&id, "/peek")).await;
        assert_eq!(lines(&response, SET_COOKIE), [""; 0], "{how}");
        assert_eq!(text(response), "None", "{how}");
        fixture.calls.assert_none();
    }
}

#[tokio::test]
async fn the_newest_key_makes_cookies_and_every_key_reads_them() {
    for (how, protect) in BOTH {
        let (value, id) = begin(&carrier(protect, "SID", &[OLD])).await;
        let both = carrier(protect, "SID", &[NEW, OLD]);
        assert_eq!(read(&both, "SID", &value), Some(id), "{how}");
        assert_eq!(read(&carrier(protect, "SID", &[NEW]), "SID", &value), None, "{how}");
        let (value, id) = begin(&both).await;
        assert_eq!(read(&carrier(protect, "SID", &[NEW]), "SID", &value), Some(id), "{how}");
        assert_eq!(read(&carrier(protect, "SID", &[OLD]), "SID", &value), None, "{how}");
    }
}

#[tokio::test]
async fn a_cookie_of_an_older_key_is_replaced_when_its_session_is_read() {
    for (how, protect) in BOTH {
        let fixture = fixture();
        let behind = |ring: KeyRing| {
            let carrier = protect(CookieCarrier::builder(), ring).build().unwrap();
            fixture.app_behind(fixture.layer().carrier(carrier))
        };
        let old = behind(ring(&[OLD]));
        let learning = behind(ring(&[OLD]).accept(NEW).unwrap());
        let changing = behind(ring(&[NEW, OLD]));
        let new = behind(ring(&[NEW]));
        let mut browser = Browser::new();
        browser.visit(&old, "/count").await;
        let value = browser.cookie("__Host-SID");

        for app in [&learning, &changing] {
            let response = browser.visit(app, "/nothing").await;
            assert_eq!(
                lines(&response, SET_COOKIE),
                [""; 0],
                "{how}: who does not look does not know"
            );
        }
        let response = browser.visit(&learning, "/count").await;
        assert_eq!(lines(&response, SET_COOKIE), [""; 0], "{how}: the key is in use");
        let response = browser.visit(&changing, "/peek").await;
        assert_eq!(lines(&response, SET_COOKIE).len(), 1, "{how}");
        assert!(lines(&response, SET_COOKIE)[0].contains("; Max-Age="), "{how}");
        assert_eq!(text(response), "Some(2)", "{how}");
        assert_ne!(browser.cookie("__Host-SID"), value, "{how}");
        // Servers one step behind accept it and do not replace it.
        for app in [&changing, &learning, &new] {
            let response = browser.visit(app, "/peek").await;
            assert_eq!(lines(&response, SET_COOKIE), [""; 0], "{how}");
            assert_eq!(text(response), "Some(2)", "{how}");
        }
    }
}

#[tokio::test]
async fn a_cookie_of_an_older_key_whose_session_is_gone_is_left_alone() {
    for (how, protect) in BOTH {
        let fixture = fixture();
        let behind = |keys: &[[u8; 32]]| {
            let carrier = protect(CookieCarrier::builder(), ring(keys)).build().unwrap();
            fixture.app_behind(fixture.layer().carrier(carrier))
        };
        let (old, changing) = (behind(&[OLD]), behind(&[NEW, OLD]));
        let mut browser = Browser::new();
        browser.visit(&old, "/count").await;
        // A concurrent login and logout, of which this request does not know.
        for path in ["/login", "/logout"] {
            let late = browser.request("/peek");
            browser.visit(&old, path).await;
            let response = ask(&changing, late).await;
            assert_eq!(lines(&response, SET_COOKIE), [""; 0], "{how}: {path}");
        }
    }
}

#[tokio::test]
async fn a_value_is_valid_only_under_the_name_it_was_made_for() {
    for (how, protect) in BOTH {
        let (value, id) = begin(&carrier(protect, "SID", &[NEW])).await;
        assert_eq!(read(&carrier(protect, "SID", &[NEW]), "SID", &value), Some(id), "{how}");
        assert_eq!(read(&carrier(protect, "OTHER", &[NEW]), "OTHER", &value), None, "{how}");
    }
}

#[tokio::test]
async fn signed_values_are_not_accepted_as_encrypted_ones() {
    let (signed, _) = begin(&carrier(CookieCarrierBuilder::signed, "SID", &[NEW])).await;
    let (encrypted, _) = begin(&carrier(CookieCarrierBuilder::encrypted, "SID", &[NEW])).await;
    assert_eq!(
        read(&carrier(CookieCarrierBuilder::encrypted, "SID", &[NEW]), "SID", &signed),
        None
    );
    assert_eq!(
        read(&carrier(CookieCarrierBuilder::signed, "SID", &[NEW]), "SID", &encrypted),
        None
    );
}

#[tokio::test]
async fn a_signed_value_shows_the_id_and_an_encrypted_one_does_not() {
    let (value, id) = begin(&carrier(CookieCarrierBuilder::signed, "SID", &[NEW])).await;
    assert!(value.starts_with(&format!("{}.", id.expose())));
    let (value, id) = begin(&carrier(CookieCarrierBuilder::encrypted, "SID", &[NEW])).await;
    let parts = id.expose().as_bytes().windows(6);
    let shown = parts.filter(|part| value.as_bytes().windows(6).any(|window| window == *part));
    assert_eq!(shown.count(), 0);
    assert_eq!(value.len(), 96);
}

#[tokio::test]
async fn every_other_value_is_rejected() {
    for (how, protect) in BOTH {
        let carrier = carrier(protect, "SID", &[NEW]);
        let (value, _) = begin(&carrier).await;
        for at in 0..value.len() {
            for replacement in ["A", "_", ".", ""] {
                let mut forged = value.clone();
                forged.replace_range(at..=at, replacement);
                if forged != value {
                    assert_eq!(read(&carrier, "SID", &forged), None, "{how}: {forged}");
                }
            }
        }
        for forged in [format!("{value}A"), format!("A{value}"), value.repeat(2), String::new()] {
            assert_eq!(read(&carrier, "SID", &forged), None, "{how}: {forged}");
        }
    }
}

/// Signatures stay valid across versions: this one was computed independently, from the documentation.
#[test]
fn a_signature_is_an_hmac_of_name_and_value_under_a_derived_key() {
    let carrier = carrier(CookieCarrierBuilder::signed, "SID", &[[0x2a; 32]]);
    let value = "0123456789abcdef.q0EgtV59EkHgSe_sS7c-UUERfNFA8JWPSoqTMBdFbIc";
    let id = read(&carrier, "SID", value).expect("it is genuine");
    assert_eq!(id.expose(), "0123456789abcdef");
}

#[test]
fn short_keys_are_rejected_and_no_key_is_shown() {
    assert_eq!(KeyRing::new([7; 31]).unwrap_err(), KeyError::TooShort);
    assert_eq!(ring(&[NEW]).or("short").unwrap_err(), KeyError::TooShort);
    assert_eq!(format!("{:?}", ring(&[NEW, OLD])), "KeyRing(2 keys)");
    for (_, protect) in BOTH {
        let builder = protect(CookieCarrier::builder(), ring(&[NEW]));
        let carrier = builder.clone().build().unwrap();
        let shown = format!("{builder:?} {carrier:?} {:#?}", carrier);
        assert!(!shown.contains("2, 2") && !shown.contains("0202"), "{shown}");
    }
}

proptest! {
    #[test]
    fn arbitrary_values_are_rejected_without_panic(value in "[ -~]{0,250}") {
        for (_, protect) in BOTH {
            prop_assert_eq!(read(&carrier(protect, "SID", &[NEW]), "SID", &value), None);
        }
    }
}
