//! Mistakes in setting layers and carriers up that show in no single answer, and that an operator is told of.

// In a helper, too, an unwrap is an assertion.
#![allow(clippy::unwrap_used)]

mod common;

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response, StatusCode};
use sessile_core::{AutoStart, OsEntropy, Session, SessionError, SessionId, Untyped};
use sessile_memory::MemoryStorage;
use sessile_tower::{BearerCarrier, CookieBuilder, CookieCarrier, HeaderCarrier, KeyRing, SessionLayer};
use tower::util::BoxCloneService;
use tower::{Layer, ServiceExt, service_fn};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use self::common::{Browser, ask, lines, request, text, world};

/// Keeps every event as a line.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut log = self.0.lock().unwrap();
        write!(log, "{} {}: ", event.metadata().level(), event.metadata().target()).unwrap();
        event.record(&mut Line(&mut log));
        log.push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Log {
    /// The lines that say this.
    fn saying(&self, text: &str) -> Vec<String> {
        let log = self.0.lock().unwrap();
        let lines = log.lines().filter(|line| line.contains(text));
        lines.map(str::to_owned).collect()
    }
}

fn session() -> Session {
    Session::builder(MemoryStorage::builder().sweeper(false).build()).build()
}

type Service = BoxCloneService<Request<()>, Response<String>, SessionError>;

/// A service behind a layer, of which nothing is left but the text of its answers.
fn behind<V: sessile_core::Values>(layer: SessionLayer<Untyped, V>, inner: Service) -> Service {
    let service = layer.layer(inner);
    BoxCloneService::new(service.map_response(|answer: Response<_>| {
        answer
            .map(|body: sessile_tower::ResponseBody<String>| body.into_inner().unwrap_or_else(|| "refused".to_owned()))
    }))
}

/// A service that counts in these sessions.
fn counting(sessions: &[&Session]) -> Service {
    let sessions: Vec<_> = sessions.iter().map(|session| (*session).clone()).collect();
    BoxCloneService::new(service_fn(move |_: Request<()>| {
        let sessions = sessions.clone();
        async move {
            for session in &sessions {
                session.start().await?;
                session.update_key(common::COUNT, |count| *count += 1)?;
            }
            Ok(Response::new("counted".to_owned()))
        }
    }))
}

#[tokio::test]
async fn two_sessions_that_take_one_name_are_refused_and_named() {
    let named = |name: &str| CookieCarrier::named(name).build().unwrap();
    type Layered = fn(SessionLayer, &str) -> SessionLayer;
    let other_named: Layered = |layer, name| layer.carrier(CookieCarrier::named(name).build().unwrap());
    let companion_named: Layered = |layer, name| {
        let builder = CookieCarrier::builder().name("__Host-other");
        layer.carrier(builder.companion(format!("__Host-{name}-SID")).build().unwrap())
    };
    let header: Layered = |layer, _| layer.carrier(HeaderCarrier::default());
    let bearer: Layered = |layer, _| layer.carrier(BearerCarrier::new());
    for (outer, inner, clash) in [
        (other_named, other_named, Some("cookie __Host-shop-SID")),
        (other_named, companion_named, Some("cookie __Host-shop-SID")),
        (companion_named, other_named, Some("cookie __Host-shop-SID")),
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
            let answer = service.clone().oneshot(request("/")).await.unwrap();
            assert_eq!(answer.status().is_success(), clash.is_none(), "{clash:?}");
            assert!(clash.is_none() || !answer.headers().contains_key(SET_COOKIE));
        }
        let said = log.saying("two sessions overwrite each other's ids");
        assert_eq!(said.len(), usize::from(clash.is_some()), "{said:?}");
        if let Some(name) = clash {
            assert!(
                said[0].starts_with("ERROR sessile: ") && said[0].contains(name),
                "{said:?}"
            );
        }
    }
    // Names of their own are all it takes.
    let (first, second) = (session(), session());
    let service = behind(
        SessionLayer::new(second.clone()).carrier(named("b")),
        counting(&[&first, &second]),
    );
    let service = behind(SessionLayer::new(first).carrier(named("a")), service);
    let answer = service.oneshot(request("/")).await.unwrap();
    assert_eq!(lines(&answer, SET_COOKIE).len(), 2);
}

#[tokio::test]
async fn a_handler_that_sets_the_cookie_of_the_layer_is_named() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let world = world();
    let app = world.serve(async |session: Session| {
        session.start().await?;
        session.update_key(common::COUNT, |count| *count += 1)?;
        let answer = Response::builder()
            .header(SET_COOKIE, "__Host-SIDE=1")
            .header(SET_COOKIE, "__Host-SID=mine; Path=/");
        Ok(answer.body(String::new()).unwrap())
    });
    ask(&app, request("/")).await;
    assert_eq!(log.saying("two sessions overwrite each other's ids").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_is_there_twice_is_said_and_does_not_wait_for_itself() {
    for auto_start in [AutoStart::No, AutoStart::ReadOnly, AutoStart::Exclusive] {
        let log = Log::default();
        let _guard = tracing::subscriber::set_default(log.clone());
        let storage = MemoryStorage::builder().sweeper(false).build();
        let session: Session = Session::builder(storage).auto_start(auto_start).build();
        let layer = SessionLayer::new(session.clone());
        let app = behind(layer.clone(), counting(&[&session]));
        // Visitors have sessions, so that there is something to wait for.
        let mut browser = Browser::new();
        let answer = app.clone().oneshot(request("/")).await.unwrap();
        browser.keep(&answer);
        assert!(browser.id().is_some());

        let twice = behind(layer, app);
        let began = tokio::time::Instant::now();
        for _ in 0..3 {
            let answer = twice.clone().oneshot(browser.request("/")).await.unwrap();
            let is_refused = auto_start != AutoStart::No;
            assert_eq!(answer.status() == StatusCode::OK, !is_refused, "{auto_start:?}");
            assert_eq!(answer.into_body() == "refused", is_refused, "{auto_start:?}");
        }
        assert!(began.elapsed().is_zero(), "nobody waits: {auto_start:?}");
        let said = log.saying("a request passes two layers of one session");
        assert_eq!(said.len(), 1, "{auto_start:?}: {said:?}");
    }
}

#[tokio::test]
async fn values_made_with_no_key_of_the_ring_are_counted_and_never_shown() {
    for protect in [CookieBuilder::signed, CookieBuilder::encrypted] {
        let log = Log::default();
        let _guard = tracing::subscriber::set_default(log.clone());
        let world = world();
        let keys = |key: u8| KeyRing::new([key; 32]).unwrap();
        let carrier = |key| protect(CookieCarrier::builder(), keys(key)).build().unwrap();
        let (ours, theirs) = (
            world.app_behind(world.layer().carrier(carrier(1))),
            world.app_behind(world.layer().carrier(carrier(2))),
        );
        let mut browser = Browser::new();
        browser.visit(&theirs, "/count").await;
        let value = browser.cookie("__Host-SID").unwrap();
        for _ in 0..9 {
            assert_eq!(text(ask(&ours, browser.request("/peek")).await), "None");
        }
        let said = log.saying("made with none of the keys");
        let counts: Vec<_> = said.iter().filter_map(|line| line.split("count=").nth(1)).collect();
        let counts: Vec<_> = counts.iter().map(|rest| rest.split(' ').next().unwrap()).collect();
        assert_eq!(counts, ["1", "2", "4", "8"]);
        assert!(said.iter().all(|line| line.starts_with("WARN sessile: ")), "{said:?}");
        assert!(log.saying(&value).is_empty());
        assert!(log.saying(&value[..12]).is_empty());
    }
}

#[tokio::test]
async fn cookies_that_never_come_back_are_said_once() {
    let secure = "over plain http";
    for comes_back_after in [None, Some(0), Some(19), Some(30)] {
        let log = Log::default();
        let _guard = tracing::subscriber::set_default(log.clone());
        let world = world();
        let app = world.app();
        for visitor in 0..50 {
            let mut browser = Browser::new();
            browser.visit(&app, "/count").await;
            if comes_back_after == Some(visitor) {
                assert_eq!(text(browser.visit(&app, "/count").await), "2");
            }
        }
        let is_said = !matches!(comes_back_after, Some(0..19));
        assert_eq!(log.saying(secure).len(), usize::from(is_said), "{comes_back_after:?}");
    }
}

#[tokio::test]
async fn several_cookies_of_the_name_are_said_and_no_id_is_shown() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let world = world();
    let (app, id) = (world.app(), world.stored(3).await);
    let unknown = SessionId::generate(&OsEntropy);
    let cookies = format!("__Host-SID={}; __Host-SID={}", unknown.expose(), id.expose());
    let request = Request::get("/peek").header(COOKIE, cookies).body(()).unwrap();
    assert_eq!(text(ask(&app, request).await), "Some(3)");
    let said = log.saying("several cookies of the session's name");
    assert_eq!(said.len(), 1);
    for id in [&unknown, &id] {
        assert!(log.saying(&id.expose()[..8]).is_empty());
    }
}
