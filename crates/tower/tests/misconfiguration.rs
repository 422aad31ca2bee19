//! Tests the detection of mistakes in the set-up of layers and carriers that show in no single response.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/log.rs"]
mod log;

use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response, StatusCode};
use sessile_core::{AutoStart, OsEntropy, Session, SessionError, SessionId, Untyped};
use sessile_memory::MemoryStorage;
use sessile_tower::{BearerCarrier, CookieCarrier, CookieCarrierBuilder, HeaderCarrier, KeyRing, SessionLayer};
use tower::util::BoxCloneService;
use tower::{Layer, ServiceExt, service_fn};

use self::common::{Browser, ask, fixture, lines, request, text};
use self::log::Log;

fn session() -> Session {
    Session::builder(MemoryStorage::builder().sweeper(false).build()).build()
}

type Service = BoxCloneService<Request<()>, Response<String>, SessionError>;

/// Wraps a service in a layer, and reduces its responses to their texts.
fn behind<V: sessile_core::Values>(layer: SessionLayer<Untyped, V>, inner: Service) -> Service {
    let service = layer.layer(inner);
    BoxCloneService::new(service.map_response(|response: Response<_>| {
        response
            .map(|body: sessile_tower::ResponseBody<String>| body.into_inner().unwrap_or_else(|| "refused".to_owned()))
    }))
}

/// Returns a service that counts in these sessions.
fn counting(sessions: &[&Session]) -> Service {
    let sessions: Vec<_> = sessions.iter().map(|session| (*session).clone()).collect();
    BoxCloneService::new(service_fn(move |_: Request<()>| {
        let sessions = sessions.clone();
        async move {
            for session in &sessions {
                session.start().await?;
                session.update(common::COUNT, |count| *count += 1)?;
            }
            Ok(Response::new("counted".to_owned()))
        }
    }))
}

#[tokio::test]
async fn two_sessions_that_reserve_one_name_are_rejected_and_named() {
    let named = |name: &str| CookieCarrier::named(name).build().unwrap();
    type Layered = fn(SessionLayer, &str) -> SessionLayer;
    let other_named: Layered = |layer, name| layer.carrier(CookieCarrier::named(name).build().unwrap());
    let window_cookie_named: Layered = |layer, name| {
        let builder = CookieCarrier::builder().name("__Host-other");
        layer.carrier(
            builder
                .transient_window_cookie(format!("__Host-{name}-SID"))
                .build()
                .unwrap(),
        )
    };
    let header: Layered = |layer, _| layer.carrier(HeaderCarrier::default());
    let bearer: Layered = |layer, _| layer.carrier(BearerCarrier::new());
    for (outer, inner, clash) in [
        (other_named, other_named, Some("cookie __Host-shop-SID")),
        (other_named, window_cookie_named, Some("cookie __Host-shop-SID")),
        (window_cookie_named, other_named, Some("cookie __Host-shop-SID")),
        (header, header, Some("header x-session-id")),
        (bearer, bearer, Some("header authorization")),
        (bearer, header, Some("header x-session-id")),
        (other_named, header, None),
        (|layer, _| layer, other_named, None),
    ] {
        let log = Log::default();
        let _guard = tracing::subscriber::set_default(log.clone());
        let (first, second) = (session(), session());
        let service = counting(&[&first, &second]);
        let service = behind(inner(SessionLayer::new(second), "shop"), service);
        let service = behind(outer(SessionLayer::new(first), "shop"), service);
        for _ in 0..40 {
            let response = service.clone().oneshot(request("/")).await.unwrap();
            let expected = if clash.is_none() {
                StatusCode::OK
            } else {
                StatusCode::INTERNAL_SERVER_ERROR
            };
            assert_eq!(response.status(), expected, "{clash:?}");
            assert!(clash.is_none() || !response.headers().contains_key(SET_COOKIE));
        }
        let said = log.containing("two sessions overwrite each other's ids");
        assert_eq!(said.len(), usize::from(clash.is_some()), "{said:?}");
        if let Some(name) = clash {
            assert!(
                said[0].starts_with("ERROR sessile: ") && said[0].contains(name),
                "{said:?}"
            );
        }
    }
    // Different names are enough.
    let (first, second) = (session(), session());
    let service = behind(
        SessionLayer::new(second.clone()).carrier(named("b")),
        counting(&[&first, &second]),
    );
    let service = behind(SessionLayer::new(first).carrier(named("a")), service);
    let response = service.oneshot(request("/")).await.unwrap();
    assert_eq!(lines(&response, SET_COOKIE).len(), 2);
}

#[tokio::test]
async fn a_handler_that_sets_the_cookie_of_the_layer_is_reported() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let fixture = fixture();
    let app = fixture.serve(async |session: Session| {
        session.start().await?;
        session.update(common::COUNT, |count| *count += 1)?;
        let response = Response::builder()
            .header(SET_COOKIE, "__Host-SIDE=1")
            .header(SET_COOKIE, "__Host-SID=mine; Path=/");
        Ok(response.body(String::new()).unwrap())
    });
    ask(&app, request("/")).await;
    assert_eq!(log.containing("two sessions overwrite each other's ids").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_layer_is_reported_and_does_not_wait_for_itself() {
    for auto_start in [AutoStart::No, AutoStart::ReadOnly, AutoStart::Exclusive] {
        let log = Log::default();
        let _guard = tracing::subscriber::set_default(log.clone());
        let storage = MemoryStorage::builder().sweeper(false).build();
        let session: Session = Session::builder(storage).auto_start(auto_start).build();
        let layer = SessionLayer::new(session.clone());
        let app = behind(layer.clone(), counting(&[&session]));
        // The visitor has a session, so that there is a lock to wait for.
        let mut browser = Browser::new();
        let response = app.clone().oneshot(request("/")).await.unwrap();
        browser.keep(&response);
        assert!(browser.id().is_some());

        let twice = behind(layer, app);
        let began = tokio::time::Instant::now();
        for _ in 0..3 {
            let response = twice.clone().oneshot(browser.request("/")).await.unwrap();
            let is_refused = auto_start != AutoStart::No;
            let expected = if is_refused {
                StatusCode::INTERNAL_SERVER_ERROR
            } else {
                StatusCode::OK
            };
            assert_eq!(response.status(), expected, "{auto_start:?}");
            assert_eq!(response.into_body() == "refused", is_refused, "{auto_start:?}");
        }
        assert!(began.elapsed().is_zero(), "no request waits: {auto_start:?}");
        let said = log.containing("a request passes two layers of one session");
        assert_eq!(said.len(), 1, "{auto_start:?}: {said:?}");
    }
}

#[tokio::test]
async fn values_made_with_no_key_of_the_ring_are_counted_and_never_shown() {
    for protect in [CookieCarrierBuilder::signed, CookieCarrierBuilder::encrypted] {
        let log = Log::default();
        let _guard = tracing::subscriber::set_default(log.clone());
        let fixture = fixture();
        let keys = |key: u8| KeyRing::new([key; 32]).unwrap();
        let carrier = |key| protect(CookieCarrier::builder(), keys(key)).build().unwrap();
        let (ours, theirs) = (
            fixture.app_behind(fixture.layer().carrier(carrier(1))),
            fixture.app_behind(fixture.layer().carrier(carrier(2))),
        );
        let mut browser = Browser::new();
        browser.visit(&theirs, "/count").await;
        let value = browser.cookie("__Host-SID").unwrap();
        for _ in 0..9 {
            assert_eq!(text(ask(&ours, browser.request("/peek")).await), "None");
        }
        let said = log.containing("made with none of the keys");
        let counts: Vec<_> = said.iter().filter_map(|line| line.split("count=").nth(1)).collect();
        let counts: Vec<_> = counts.iter().map(|rest| rest.split(' ').next().unwrap()).collect();
        assert_eq!(counts, ["1", "2", "4", "8"]);
        assert!(said.iter().all(|line| line.starts_with("WARN sessile: ")), "{said:?}");
        assert!(log.containing(&value).is_empty());
        assert!(log.containing(&value[..12]).is_empty());
    }
}

#[tokio::test]
async fn cookies_that_are_never_returned_are_reported_once() {
    let secure = "over plain http";
    for comes_back_after in [None, Some(0), Some(19), Some(30)] {
        let log = Log::default();
        let _guard = tracing::subscriber::set_default(log.clone());
        let fixture = fixture();
        let app = fixture.app();
        for visitor in 0..50 {
            let mut browser = Browser::new();
            browser.visit(&app, "/count").await;
            if comes_back_after == Some(visitor) {
                assert_eq!(text(browser.visit(&app, "/count").await), "2");
            }
        }
        let is_said = !matches!(comes_back_after, Some(0..19));
        assert_eq!(
            log.containing(secure).len(),
            usize::from(is_said),
            "{comes_back_after:?}"
        );
    }
}

#[tokio::test]
async fn several_cookies_of_the_name_are_reported_and_no_id_is_shown() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let fixture = fixture();
    let (app, id) = (fixture.app(), fixture.stored(3).await);
    let unknown = SessionId::generate(&OsEntropy);
    let cookies = format!("__Host-SID={}; __Host-SID={}", unknown.expose(), id.expose());
    let request = Request::get("/peek").header(COOKIE, cookies).body(()).unwrap();
    assert_eq!(text(ask(&app, request).await), "Some(3)");
    let said = log.containing("several cookies of the session's name");
    assert_eq!(said.len(), 1);
    for id in [&unknown, &id] {
        assert!(log.containing(&id.expose()[..8]).is_empty());
    }
}
