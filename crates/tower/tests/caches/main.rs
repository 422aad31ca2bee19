//! Tests the layer behind a shared cache: whatever `Cache-Control` handlers send, the cache serves no response that was
//! made from a visitor's session, or sets a visitor's id, to another visitor.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

mod cache;
#[path = "../common/mod.rs"]
mod common;

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CACHE_CONTROL, SET_COOKIE};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use sessile_core::{Session, SessionError, StorageErrorKind};
use sessile_testkit::{Fault, Operation};
use sessile_tower::{BearerCarrier, CookieCarrier, SessionLayer};
use tower::util::BoxCloneService;
use tower::{Layer as _, ServiceExt as _, service_fn};

use self::cache::{SharedCache, Variant};
use self::common::{App, Browser, COUNT, Fixture, fixture};

/// The use that a handler makes of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Nothing,
    Exists,
    Id,
    Key,
    Read,
    FailToRead,
    Write,
    LogIn,
    LogOut,
    TakeHandle,
}

/// A page of the application.
#[derive(Debug, Clone)]
struct Page {
    action: Action,
    status: u16,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The visitor for whom a response was made, if it depends on the session.
const MADE_FOR: HeaderName = HeaderName::from_static("x-made-for");
const VISITOR: HeaderName = HeaderName::from_static("x-visitor");

async fn respond(session: &Session, page: &Page, visitor: HeaderValue) -> Result<Response<String>, SessionError> {
    match page.action {
        Action::Nothing => {}
        Action::Exists => drop(session.exists()),
        Action::Id => drop(session.id()),
        Action::Key => drop(session.key()),
        Action::Read => {
            session.start_readonly().await?;
            session.get(COUNT)?;
        }
        Action::FailToRead => drop(session.start_readonly().await),
        Action::Write => {
            session.start().await?;
            session.update(COUNT, |count| *count += 1)?;
        }
        Action::LogIn => {
            session.start().await?;
            session.regenerate_id()?;
            session.set("user", "ada")?;
        }
        Action::LogOut => session.destroy().await?,
        Action::TakeHandle => drop(session.handle()?),
    }
    let mut response = Response::new("page".to_owned());
    *response.status_mut() = StatusCode::from_u16(page.status).unwrap();
    response.headers_mut().extend(page.headers.clone());
    // A logout shows in the response only by its cookie.
    let is_independent = page.action == Action::Nothing || page.action == Action::LogOut;
    if !is_independent {
        response.headers_mut().insert(MADE_FOR, visitor);
    }
    Ok(response)
}

fn app(fixture: &Fixture, pages: Vec<Page>, configure: impl FnOnce(SessionLayer) -> SessionLayer) -> App {
    let session = fixture.session.clone();
    let pages = Arc::new(pages);
    let handler = service_fn(move |request: Request<()>| {
        let (session, pages) = (session.clone(), Arc::clone(&pages));
        async move {
            let page = request.uri().path().trim_start_matches('/').parse::<usize>().unwrap();
            let visitor = request.headers()[VISITOR].clone();
            respond(&session, &pages[page], visitor).await
        }
    });
    let layer = fixture
        .layer()
        .carrier(CookieCarrier::default())
        .or_carrier(BearerCarrier::new());
    configure(layer).layer(BoxCloneService::new(handler))
}

/// A visitor with a browser. Some send their id as a bearer token instead.
struct Visitor {
    name: String,
    browser: Browser,
    shows_token: bool,
}

/// The origin, and the cache in front of it.
struct Site {
    fixture: Fixture,
    app: App,
    cache: SharedCache,
    now: u64,
}

impl Site {
    /// Returns the response to a visitor, and whether it came from the cache.
    async fn visit(&mut self, visitor: &mut Visitor, page: usize, fails: bool) -> (Response<String>, bool) {
        let mut request = visitor.browser.request(&format!("/{page}"));
        let headers = request.headers_mut();
        headers.insert(VISITOR, visitor.name.parse().unwrap());
        if let Some(id) = visitor.browser.id().filter(|_| visitor.shows_token) {
            headers.remove(http::header::COOKIE);
            headers.insert(AUTHORIZATION, format!("Bearer {}", id.expose()).parse().unwrap());
        }
        if let Some(found) = self.cache.find(&request, self.now) {
            return (found, true);
        }
        if fails {
            let down = Fault::before(StorageErrorKind::Unavailable);
            self.fixture.faults.fail_next(Operation::Read, down);
        }
        let asked = self.app.clone().oneshot(request.clone()).await;
        self.fixture.faults.clear();
        let (parts, body) = asked
            .map_or_else(|_| failed(), |response| response.map(|body| body.into_inner()))
            .into_parts();
        let response = Response::from_parts(parts, body.unwrap_or_default());
        visitor.browser.keep(&response);
        self.cache.store(&request, &response, self.now);
        (response, false)
    }
}

/// The response of a server to an error of its service.
fn failed() -> Response<Option<String>> {
    let mut response = Response::new(None);
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[derive(Debug, Clone)]
struct Step {
    visitor: usize,
    page: usize,
    later: u64,
    fails: bool,
}

const VISITORS: usize = 3;
const PAGES: usize = 3;

fn variant() -> impl Strategy<Value = Variant> {
    any::<(bool, bool, bool)>().prop_map(|(reads_targeted, ignores_vary, understands)| Variant {
        reads_targeted,
        ignores_vary,
        understands,
    })
}

fn cache_control() -> impl Strategy<Value = String> {
    let directives = vec![
        "public",
        "max-age=3600",
        "s-maxage=600",
        "must-understand",
        "must-revalidate",
        "stale-while-revalidate=60",
        "private=\"x-other, set-cookie\"",
        "no-cache=\"set-cookie\"",
        "no-cache",
        "no-store",
        "private",
        "PUBLIC",
        "immutable",
        "public max-age=60",
        "ext=\"a, public\"",
    ];
    subsequence(directives, 0..4)
        .prop_shuffle()
        .prop_map(|chosen| chosen.join(", "))
}

fn page() -> impl Strategy<Value = Page> {
    let action = select(vec![
        Action::Nothing,
        Action::Exists,
        Action::Id,
        Action::Key,
        Action::Read,
        Action::FailToRead,
        Action::Write,
        Action::LogIn,
        Action::LogOut,
        Action::TakeHandle,
    ]);
    let said = prop::collection::vec(cache_control(), 0..3);
    let others = subsequence(
        vec![
            ("expires", "Thu, 01 Jan 2032 00:00:00 GMT"),
            ("last-modified", "Thu, 01 Jan 2020 00:00:00 GMT"),
            ("vary", "accept-encoding"),
            ("cdn-cache-control", "max-age=600"),
            ("surrogate-control", "max-age=600"),
            ("x-accel-expires", "600"),
            ("etag", "\"1\""),
        ],
        0..4,
    );
    let status = prop_oneof![4 => Just(200), 1 => select(vec![204, 301, 404, 408, 410, 500, 503])];
    (action, said, others, status).prop_map(|(action, said, others, status)| {
        let others = others
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.to_owned()));
        let said = said.into_iter().map(|said| (CACHE_CONTROL, said));
        let headers = said
            .chain(others)
            .map(|(name, value)| (name, HeaderValue::try_from(value).unwrap()));
        Page {
            action,
            status,
            headers: headers.collect(),
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let later = prop_oneof![3 => Just(0), 1 => 1..700_u64];
    (0..VISITORS, 0..PAGES, later, prop::bool::weighted(0.1)).prop_map(|(visitor, page, later, fails)| Step {
        visitor,
        page,
        later,
        fails,
    })
}

/// Runs the steps, and returns a description of the first failure.
async fn go(variant: Variant, pages: Vec<Page>, steps: &[Step]) -> Result<(), String> {
    let fixture = fixture();
    let app = app(&fixture, pages, |layer| layer);
    let mut site = Site {
        fixture,
        app,
        cache: SharedCache::new(variant),
        now: 0,
    };
    let mut visitors: Vec<_> = (0..VISITORS)
        .map(|number| Visitor {
            name: format!("visitor-{number}"),
            browser: Browser::new(),
            shows_token: number == 2,
        })
        .collect();
    for step in steps {
        tokio::time::advance(Duration::from_secs(step.later)).await;
        site.now += step.later;
        let visitor = &mut visitors[step.visitor];
        let (response, from_cache) = site.visit(visitor, step.page, step.fails).await;
        if !from_cache {
            continue;
        }
        if response.headers().contains_key(SET_COOKIE) {
            return Err(format!("{step:?}: a cookie comes from the cache"));
        }
        if let Some(owner) = response.headers().get(MADE_FOR) {
            return Err(format!("{step:?}: what was made for {owner:?} comes from the cache"));
        }
    }
    Ok(())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_response_of_a_session_is_served_to_another_visitor(
        variant in variant(),
        pages in prop::collection::vec(page(), PAGES),
        steps in prop::collection::vec(step(), 1..24),
    ) {
        let gone = run(go(variant, pages, &steps));
        prop_assert!(gone.is_ok(), "{:?}", gone);
    }
}

/// Returns a page with this `Cache-Control`.
fn page_with_cache_control(action: Action, cache_control: &'static str) -> Page {
    Page {
        action,
        status: 200,
        headers: vec![(CACHE_CONTROL, HeaderValue::from_static(cache_control))],
    }
}

async fn two_newcomers(page: Page, configure: impl FnOnce(SessionLayer) -> SessionLayer) -> (Response<String>, bool) {
    let fixture = fixture();
    let app = app(&fixture, vec![page], configure);
    let mut site = Site {
        fixture,
        app,
        cache: SharedCache::new(Variant::default()),
        now: 0,
    };
    let newcomer = |name: &str| Visitor {
        name: name.to_owned(),
        browser: Browser::new(),
        shows_token: false,
    };
    site.visit(&mut newcomer("first"), 0, false).await;
    site.visit(&mut newcomer("second"), 0, false).await
}

#[tokio::test]
async fn an_id_is_sent_to_one_newcomer_alone() {
    let page = page_with_cache_control(Action::Write, "public, max-age=3600");
    let (response, from_cache) = two_newcomers(page, |layer| layer).await;
    assert!(!from_cache);
    assert_eq!(response.headers()[MADE_FOR], "second");
}

/// The setting disables the protection, so this is the failure that the layer prevents by default.
#[tokio::test]
async fn with_keep_cache_control_a_cache_may_serve_ids_to_all() {
    let page = page_with_cache_control(Action::Write, "public, max-age=3600");
    let (response, from_cache) = two_newcomers(page, SessionLayer::keep_cache_control).await;
    assert!(from_cache);
    assert_eq!(response.headers()[MADE_FOR], "first");
    assert!(response.headers().contains_key(SET_COOKIE));
}

#[tokio::test]
async fn responses_without_session_data_are_cached_as_the_handler_says() {
    let page = page_with_cache_control(Action::Nothing, "public, max-age=3600");
    let (response, from_cache) = two_newcomers(page, |layer| layer).await;
    assert!(from_cache);
    assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=3600");
}
