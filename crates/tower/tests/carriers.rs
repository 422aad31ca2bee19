//! Tests carriers other than the default cookie.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use proptest::prelude::*;
use sessile_core::{IdChange, OsEntropy, Outcome, Session, SessionId, Visit};
use sessile_memory::MemoryStorage;
use sessile_tower::{BearerCarrier, Candidates, Carrier, CookieCarrier, Extracted, HeaderCarrier, RequestHead};

use self::common::{App, Fixture, ask, fixture, lines, request, text};

const X_SESSION_ID: HeaderName = HeaderName::from_static("x-session-id");

fn request_with(path: &str, headers: &[(HeaderName, String)]) -> Request<()> {
    let mut request = request(path);
    for (name, value) in headers {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

async fn response_parts(app: &App, path: &str, headers: &[(HeaderName, String)]) -> (String, Vec<String>, Vec<String>) {
    let response = ask(app, request_with(path, headers)).await;
    let (told, set) = (lines(&response, X_SESSION_ID), lines(&response, SET_COOKIE));
    (text(response), told, set)
}

fn all_carriers(fixture: &Fixture) -> App {
    let layer = fixture.layer().carrier(CookieCarrier::insecure());
    fixture.app_behind(
        layer
            .or_carrier(HeaderCarrier::default())
            .or_carrier(BearerCarrier::new()),
    )
}

#[tokio::test]
async fn a_header_carries_ids_both_ways() {
    let fixture = fixture();
    let app = fixture.app_behind(fixture.layer().carrier(HeaderCarrier::default()));
    let response = ask(&app, request("/count")).await;
    assert_eq!(lines(&response, VARY), ["x-session-id"]);
    assert_eq!(lines(&response, SET_COOKIE), [""; 0]);
    assert!(response.headers()[X_SESSION_ID].is_sensitive());
    let id = lines(&response, X_SESSION_ID).remove(0);

    let with_id = [(X_SESSION_ID, id.clone())];
    let (count, told_again, _) = response_parts(&app, "/count", &with_id).await;
    assert_eq!(count, "2");
    assert_eq!(told_again, [""; 0], "the client has the id");
    let (_, new_id, _) = response_parts(&app, "/login", &with_id).await;
    assert_ne!(new_id[0], id);
    let (_, end, _) = response_parts(&app, "/logout", &[(X_SESSION_ID, new_id[0].clone())]).await;
    assert_eq!(end, [""], "there is no id any more");
    let (_, end, _) = response_parts(&app, "/peek", &[(X_SESSION_ID, new_id[0].clone())]).await;
    assert_eq!(end, [""; 0], "who ended it has said so");
}

#[tokio::test(start_paused = true)]
async fn a_header_does_not_repeat_an_id_whose_end_moved() {
    let fixture = fixture();
    let app = fixture.app_behind(fixture.layer().carrier(HeaderCarrier::default()));
    let id = fixture.stored(1).await;
    tokio::time::advance(sessile_core::HOUR).await;
    let (count, told, _) = response_parts(&app, "/count", &[(X_SESSION_ID, id.expose().to_owned())]).await;
    assert_eq!((count.as_str(), told.len()), ("2", 0));
}

#[tokio::test]
async fn bearer_tokens_carry_ids_in_and_a_header_carries_them_out() {
    let fixture = fixture();
    let carrier = BearerCarrier::new().response_header(HeaderName::from_static("x-token"));
    let app = fixture.app_behind(fixture.layer().carrier(carrier));
    let response = ask(&app, request("/count")).await;
    assert_eq!(lines(&response, VARY), ["authorization"]);
    let id = lines(&response, HeaderName::from_static("x-token")).remove(0);
    for credentials in [
        format!("Bearer {id}"),
        format!("bearer   {id}"),
        format!("BEARER {id}  "),
    ] {
        let response = ask(&app, request_with("/peek", &[(AUTHORIZATION, credentials)])).await;
        assert_eq!(text(response), "Some(1)");
    }
    for credentials in [
        format!("Basic {id}"),
        format!("Bearer{id}"),
        id.clone(),
        format!("Bearer {id} {id}"),
    ] {
        let response = ask(&app, request_with("/peek", &[(AUTHORIZATION, credentials)])).await;
        assert_eq!(text(response), "None");
    }
}

#[tokio::test]
async fn the_first_carrier_with_an_id_wins_and_writes_the_response() {
    let fixture = fixture();
    let app = all_carriers(&fixture);
    let ids = [
        fixture.stored(10).await,
        fixture.stored(20).await,
        fixture.stored(30).await,
    ];
    let [cookie, header, bearer] = [
        (COOKIE, format!("SID={}", ids[0].expose())),
        (X_SESSION_ID, ids[1].expose().to_owned()),
        (AUTHORIZATION, format!("Bearer {}", ids[2].expose())),
    ];
    let malformed = (COOKIE, "SID=malformed".to_owned());
    for (headers, expected) in [
        (vec![cookie.clone(), header.clone(), bearer.clone()], "Some(10)"),
        (vec![header.clone(), bearer.clone()], "Some(20)"),
        (vec![malformed, header.clone(), bearer.clone()], "Some(20)"),
        (vec![bearer.clone()], "Some(30)"),
    ] {
        let (count, ..) = response_parts(&app, "/peek", &headers).await;
        assert_eq!(count, expected, "{headers:?}");
    }
    let (_, in_header, in_cookie) = response_parts(&app, "/login", &[header, bearer]).await;
    assert_eq!((in_header.len(), in_cookie.len()), (1, 0));
    let (_, in_header, in_cookie) = response_parts(&app, "/login", &[cookie]).await;
    assert_eq!((in_header.len(), in_cookie.len()), (0, 1));
    // Without an id the first carrier responds.
    let (_, in_header, in_cookie) = response_parts(&app, "/login", &[]).await;
    assert_eq!((in_header.len(), in_cookie.len()), (0, 1));
}

#[tokio::test]
async fn a_stale_cookie_does_not_hide_a_valid_token() {
    let fixture = fixture();
    let app = all_carriers(&fixture);
    let id = fixture.stored(7).await;
    let stale = (COOKIE, format!("SID={}", SessionId::generate(&OsEntropy).expose()));
    let bearer = (AUTHORIZATION, format!("Bearer {}", id.expose()));
    for headers in [
        vec![stale.clone(), bearer.clone()],
        vec![stale.clone(), (X_SESSION_ID, id.expose().to_owned())],
    ] {
        let response = ask(&app, request_with("/peek", &headers)).await;
        assert_eq!(text(response), "Some(7)", "{headers:?}");
    }
    // The carrier of the id writes the response.
    let response = ask(&app, request_with("/peek", &[stale.clone(), bearer.clone()])).await;
    assert_eq!(lines(&response, VARY), ["cookie", "x-session-id", "authorization"]);
    let (_, in_header, in_cookie) = response_parts(&app, "/login", &[stale.clone(), bearer]).await;
    assert_eq!((in_header.len(), in_cookie.len()), (1, 0));
    // A new session uses the first carrier that extracted an id.
    let unknown = (AUTHORIZATION, "Bearer 0123456789abcdef".to_owned());
    let (_, in_header, in_cookie) = response_parts(&app, "/login", std::slice::from_ref(&unknown)).await;
    assert_eq!((in_header.len(), in_cookie.len()), (1, 0));
    let (_, in_header, in_cookie) = response_parts(&app, "/login", &[stale, unknown]).await;
    assert_eq!((in_header.len(), in_cookie.len()), (0, 1));
}

#[tokio::test]
async fn a_response_varies_on_every_consulted_header() {
    let fixture = fixture();
    let app = all_carriers(&fixture);
    let id = fixture.stored(1).await.expose().to_owned();
    for (header, expected) in [
        ((COOKIE, format!("SID={id}")), &["cookie"][..]),
        ((X_SESSION_ID, id.clone()), &["cookie", "x-session-id"]),
        (
            (AUTHORIZATION, format!("Bearer {id}")),
            &["cookie", "x-session-id", "authorization"],
        ),
        (
            (COOKIE, "SID=no".to_owned()),
            &["cookie", "x-session-id", "authorization"],
        ),
    ] {
        let response = ask(&app, request_with("/peek", &[header])).await;
        assert_eq!(lines(&response, VARY), expected);
    }
}

#[tokio::test]
async fn an_application_can_implement_a_carrier() {
    /// Carries ids as `id:ID` in the header `x-own`.
    #[derive(Debug)]
    struct Own;

    impl Carrier for Own {
        fn read(&self, request: &RequestHead<'_>, candidates: &mut Candidates) {
            let Some(own) = request.headers.get("x-own") else {
                return;
            };
            if let Some(id) = own.as_bytes().strip_prefix(b"id:").and_then(SessionId::parse_bytes) {
                candidates.add(id);
            }
        }

        fn write(&self, outcome: &Outcome, extracted: &Extracted<'_>, headers: &mut HeaderMap) {
            if let (IdChange::Set { id, .. }, None) = (&outcome.id, extracted.id) {
                headers.insert("x-own", format!("id:{}", id.expose()).parse().unwrap());
            }
        }

        fn varies_on(&self) -> Option<HeaderName> {
            Some(HeaderName::from_static("x-own"))
        }
    }

    let fixture = fixture();
    let app = fixture.app_behind(fixture.layer().carrier(Own));
    let response = ask(&app, request("/count")).await;
    let name = HeaderName::from_static("x-own");
    let own = lines(&response, name.clone()).remove(0);
    assert_eq!(lines(&response, VARY), ["x-own"]);
    let response: Response<_> = ask(&app, request_with("/count", &[(name, own)])).await;
    assert_eq!(text(response), "2");
}

/// Lets all carriers write the outcome of a visit that changed nothing.
#[test]
fn nothing_is_written_if_nothing_changed() {
    let session: Session = Session::builder(MemoryStorage::builder().sweeper(false).build()).build();
    let outcome = session.open(Visit::new()).outcome();
    let mut candidates = Candidates::new();
    candidates.add(SessionId::generate(&OsEntropy));
    let carriers: [&dyn Carrier; 3] = [
        &CookieCarrier::default(),
        &HeaderCarrier::default(),
        &BearerCarrier::new(),
    ];
    for carrier in carriers {
        for extracted in [Extracted::default(), candidates.extracted(None)] {
            let mut headers = HeaderMap::new();
            carrier.write(&outcome, &extracted, &mut headers);
            assert!(headers.is_empty(), "{carrier:?}: {headers:?}");
        }
    }
}

proptest! {
    #[test]
    fn any_request_yields_ids_or_none(
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 0..4),
        prefix in prop::sample::select(vec!["", "__Host-SID=", "a=b; __Host-SID=", "Bearer ", "bearer"]),
    ) {
        let carriers: [(HeaderName, &dyn Carrier); 3] = [
            (COOKIE, &CookieCarrier::default()),
            (X_SESSION_ID, &HeaderCarrier::default()),
            (AUTHORIZATION, &BearerCarrier::new()),
        ];
        for (name, carrier) in carriers {
            let mut headers = HeaderMap::new();
            for value in &values {
                // Invalid header values never reach a carrier.
                if let Ok(value) = HeaderValue::from_bytes(&[prefix.as_bytes(), value].concat()) {
                    headers.append(&name, value);
                }
            }
            let mut request = Request::new(());
            *request.headers_mut() = headers;
            let mut candidates = Candidates::new();
            carrier.read(&RequestHead::of(&request), &mut candidates);
            prop_assert!(candidates.ids().count() <= Visit::MAX_CANDIDATES);
            for id in candidates.ids() {
                let text = id.expose();
                prop_assert!(SessionId::parse(text).is_some());
                let holds = |value: &HeaderValue| value.as_bytes().windows(text.len()).any(|part| part == text.as_bytes());
                prop_assert!(request.headers().values().any(holds));
            }
        }
    }
}
