//! How ids travel, other than in the one cookie that is the default.

// In a helper, too, an unwrap is an assertion.
#![allow(clippy::unwrap_used)]

mod common;

use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use proptest::prelude::*;
use sessile_core::{IdChange, OsEntropy, Outcome, Session, SessionId, Visit};
use sessile_memory::MemoryStorage;
use sessile_tower::{BearerCarrier, Carrier, CookieCarrier, Found, HeaderCarrier, Presented, RequestHead};

use self::common::{App, World, ask, lines, request, text, world};

const X_SESSION_ID: HeaderName = HeaderName::from_static("x-session-id");

fn request_with(path: &str, headers: &[(HeaderName, String)]) -> Request<()> {
    let mut request = request(path);
    for (name, value) in headers {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

async fn told(app: &App, path: &str, headers: &[(HeaderName, String)]) -> (String, Vec<String>, Vec<String>) {
    let answer = ask(app, request_with(path, headers)).await;
    let (told, set) = (lines(&answer, X_SESSION_ID), lines(&answer, SET_COOKIE));
    (text(answer), told, set)
}

fn all_carriers(world: &World) -> App {
    let layer = world.layer().carrier(CookieCarrier::insecure());
    world.app_behind(
        layer
            .or_carrier(HeaderCarrier::default())
            .or_carrier(BearerCarrier::new()),
    )
}

#[tokio::test]
async fn a_header_carries_ids_both_ways() {
    let world = world();
    let app = world.app_behind(world.layer().carrier(HeaderCarrier::default()));
    let answer = ask(&app, request("/count")).await;
    assert_eq!(lines(&answer, VARY), ["x-session-id"]);
    assert_eq!(lines(&answer, SET_COOKIE), [""; 0]);
    assert!(answer.headers()[X_SESSION_ID].is_sensitive());
    let id = lines(&answer, X_SESSION_ID).remove(0);

    let with_id = [(X_SESSION_ID, id.clone())];
    let (count, told_again, _) = told(&app, "/count", &with_id).await;
    assert_eq!(count, "2");
    assert_eq!(told_again, [""; 0], "the client has the id");
    let (_, new_id, _) = told(&app, "/login", &with_id).await;
    assert_ne!(new_id[0], id);
    let (_, end, _) = told(&app, "/logout", &[(X_SESSION_ID, new_id[0].clone())]).await;
    assert_eq!(end, [""], "there is no id any more");
    let (_, end, _) = told(&app, "/peek", &[(X_SESSION_ID, new_id[0].clone())]).await;
    assert_eq!(end, [""; 0], "who ended it has said so");
}

#[tokio::test(start_paused = true)]
async fn a_header_does_not_repeat_an_id_whose_end_moved() {
    let world = world();
    let app = world.app_behind(world.layer().carrier(HeaderCarrier::default()));
    let id = world.stored(1).await;
    tokio::time::advance(sessile_core::HOUR).await;
    let (count, told, _) = told(&app, "/count", &[(X_SESSION_ID, id.expose().to_owned())]).await;
    assert_eq!((count.as_str(), told.len()), ("2", 0));
}

#[tokio::test]
async fn bearer_tokens_carry_ids_in_and_a_header_carries_them_out() {
    let world = world();
    let carrier = BearerCarrier::new().answer_in(HeaderName::from_static("x-token"));
    let app = world.app_behind(world.layer().carrier(carrier));
    let answer = ask(&app, request("/count")).await;
    assert_eq!(lines(&answer, VARY), ["authorization"]);
    let id = lines(&answer, HeaderName::from_static("x-token")).remove(0);
    for credentials in [
        format!("Bearer {id}"),
        format!("bearer   {id}"),
        format!("BEARER {id}  "),
    ] {
        let answer = ask(&app, request_with("/peek", &[(AUTHORIZATION, credentials)])).await;
        assert_eq!(text(answer), "Some(1)");
    }
    for credentials in [
        format!("Basic {id}"),
        format!("Bearer{id}"),
        id.clone(),
        format!("Bearer {id} {id}"),
    ] {
        let answer = ask(&app, request_with("/peek", &[(AUTHORIZATION, credentials)])).await;
        assert_eq!(text(answer), "None");
    }
}

#[tokio::test]
async fn the_first_carrier_with_an_id_wins_and_carries_the_answer() {
    let world = world();
    let app = all_carriers(&world);
    let ids = [world.stored(10).await, world.stored(20).await, world.stored(30).await];
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
        let (count, ..) = told(&app, "/peek", &headers).await;
        assert_eq!(count, expected, "{headers:?}");
    }
    let (_, in_header, in_cookie) = told(&app, "/login", &[header, bearer]).await;
    assert_eq!((in_header.len(), in_cookie.len()), (1, 0));
    let (_, in_header, in_cookie) = told(&app, "/login", &[cookie]).await;
    assert_eq!((in_header.len(), in_cookie.len()), (0, 1));
    // Whoever brings nothing gets the first.
    let (_, in_header, in_cookie) = told(&app, "/login", &[]).await;
    assert_eq!((in_header.len(), in_cookie.len()), (0, 1));
}

#[tokio::test]
async fn a_stale_cookie_is_not_in_the_way_of_a_good_token() {
    let world = world();
    let app = all_carriers(&world);
    let id = world.stored(7).await;
    let stale = (COOKIE, format!("SID={}", SessionId::generate(&OsEntropy).expose()));
    let bearer = (AUTHORIZATION, format!("Bearer {}", id.expose()));
    for headers in [
        vec![stale.clone(), bearer.clone()],
        vec![stale.clone(), (X_SESSION_ID, id.expose().to_owned())],
    ] {
        let answer = ask(&app, request_with("/peek", &headers)).await;
        assert_eq!(text(answer), "Some(7)", "{headers:?}");
    }
    // The answer goes by the carrier whose id it was.
    let answer = ask(&app, request_with("/peek", &[stale.clone(), bearer.clone()])).await;
    assert_eq!(lines(&answer, VARY), ["cookie", "x-session-id", "authorization"]);
    let (_, in_header, in_cookie) = told(&app, "/login", &[stale.clone(), bearer]).await;
    assert_eq!((in_header.len(), in_cookie.len()), (1, 0));
    // A session that begins goes by the first that brought anything.
    let unknown = (AUTHORIZATION, "Bearer 0123456789abcdef".to_owned());
    let (_, in_header, in_cookie) = told(&app, "/login", std::slice::from_ref(&unknown)).await;
    assert_eq!((in_header.len(), in_cookie.len()), (1, 0));
    let (_, in_header, in_cookie) = told(&app, "/login", &[stale, unknown]).await;
    assert_eq!((in_header.len(), in_cookie.len()), (0, 1));
}

#[tokio::test]
async fn an_answer_varies_on_every_header_that_was_asked() {
    let world = world();
    let app = all_carriers(&world);
    let id = world.stored(1).await.expose().to_owned();
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
        let answer = ask(&app, request_with("/peek", &[header])).await;
        assert_eq!(lines(&answer, VARY), expected);
    }
}

#[tokio::test]
async fn one_can_bring_a_carrier_of_ones_own() {
    /// Ids as the user name of a URL would have them, in an imaginary header.
    #[derive(Debug)]
    struct Own;

    impl Carrier for Own {
        fn read(&self, request: &RequestHead<'_>, found: &mut Found) {
            let Some(own) = request.headers.get("x-own") else {
                return;
            };
            if let Some(id) = own.as_bytes().strip_prefix(b"id:").and_then(SessionId::parse_bytes) {
                found.add(id);
            }
        }

        fn write(&self, outcome: &Outcome, presented: &Presented<'_>, headers: &mut HeaderMap) {
            if let (IdChange::Set { id, .. }, None) = (&outcome.id, presented.id) {
                headers.insert("x-own", format!("id:{}", id.expose()).parse().unwrap());
            }
        }

        fn varies_on(&self) -> HeaderName {
            HeaderName::from_static("x-own")
        }
    }

    let world = world();
    let app = world.app_behind(world.layer().carrier(Own));
    let answer = ask(&app, request("/count")).await;
    let name = HeaderName::from_static("x-own");
    let own = lines(&answer, name.clone()).remove(0);
    assert_eq!(lines(&answer, VARY), ["x-own"]);
    let answer: Response<_> = ask(&app, request_with("/count", &[(name, own)])).await;
    assert_eq!(text(answer), "2");
}

/// What carriers say about a visit that concludes nothing.
#[test]
fn nothing_is_said_where_nothing_happened() {
    let session: Session = Session::builder(MemoryStorage::builder().sweeper(false).build()).build();
    let outcome = session.open(Visit::new()).outcome();
    let mut found = Found::new();
    found.add(SessionId::generate(&OsEntropy));
    let carriers: [&dyn Carrier; 3] = [
        &CookieCarrier::default(),
        &HeaderCarrier::default(),
        &BearerCarrier::new(),
    ];
    for carrier in carriers {
        for presented in [Presented::default(), found.presented(None)] {
            let mut headers = HeaderMap::new();
            carrier.write(&outcome, &presented, &mut headers);
            assert!(headers.is_empty(), "{carrier:?}: {headers:?}");
        }
    }
}

proptest! {
    #[test]
    fn whatever_a_request_holds_is_an_id_or_none(
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
                // What is no header at all never comes this far.
                if let Ok(value) = HeaderValue::from_bytes(&[prefix.as_bytes(), value].concat()) {
                    headers.append(&name, value);
                }
            }
            let mut request = Request::new(());
            *request.headers_mut() = headers;
            let mut found = Found::new();
            carrier.read(&RequestHead::of(&request), &mut found);
            prop_assert!(found.ids().count() <= Visit::MAX_CANDIDATES);
            for id in found.ids() {
                let text = id.expose();
                prop_assert!(SessionId::parse(text).is_some());
                let holds = |value: &HeaderValue| value.as_bytes().windows(text.len()).any(|part| part == text.as_bytes());
                prop_assert!(request.headers().values().any(holds));
            }
        }
    }
}
