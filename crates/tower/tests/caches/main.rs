//! A shared cache in front of the layer: whatever handlers say about caching, no answer that was made of a visitor's
//! session, or gives a visitor an id, is handed to another.

// In a helper, too, an unwrap is an assertion.
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
use sessile_testkit::{Fault, Verb};
use sessile_tower::{BearerCarrier, CookieCarrier, SessionLayer};
use tower::util::BoxCloneService;
use tower::{Layer as _, ServiceExt as _, service_fn};

use self::cache::{Habits, SharedCache};
use self::common::{App, Browser, COUNT, World, world};

/// What a handler does with the session before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
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
    deed: Deed,
    status: u16,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// For whom an answer was made, if the session had a part in it.
const MADE_FOR: HeaderName = HeaderName::from_static("x-made-for");
const VISITOR: HeaderName = HeaderName::from_static("x-visitor");

async fn answer(session: &Session, page: &Page, visitor: HeaderValue) -> Result<Response<String>, SessionError> {
    match page.deed {
        Deed::Nothing => {}
        Deed::Exists => drop(session.exists()),
        Deed::Id => drop(session.id()),
        Deed::Key => drop(session.key()),
        Deed::Read => {
            session.start_readonly().await?;
            session.get(COUNT)?;
        }
        Deed::FailToRead => drop(session.start_readonly().await),
        Deed::Write => {
            session.start().await?;
            session.update_key(COUNT, |count| *count += 1)?;
        }
        Deed::LogIn => {
            session.start().await?;
            session.regenerate_id()?;
            session.set("user", "ada")?;
        }
        Deed::LogOut => session.destroy().await?,
        Deed::TakeHandle => drop(session.handle()?),
    }
    let mut response = Response::new("page".to_owned());
    *response.status_mut() = StatusCode::from_u16(page.status).unwrap();
    response.headers_mut().extend(page.headers.clone());
    // That nobody was asked to log out leaves no trace in the answer.
    let leaves = page.deed == Deed::Nothing || page.deed == Deed::LogOut;
    if !leaves {
        response.headers_mut().insert(MADE_FOR, visitor);
    }
    Ok(response)
}

fn app(world: &World, pages: Vec<Page>, configure: impl FnOnce(SessionLayer) -> SessionLayer) -> App {
    let session = world.session.clone();
    let pages = Arc::new(pages);
    let handler = service_fn(move |request: Request<()>| {
        let (session, pages) = (session.clone(), Arc::clone(&pages));
        async move {
            let page = request.uri().path().trim_start_matches('/').parse::<usize>().unwrap();
            let visitor = request.headers()[VISITOR].clone();
            answer(&session, &pages[page], visitor).await
        }
    });
    let layer = world
        .layer()
        .carrier(CookieCarrier::default())
        .or_carrier(BearerCarrier::new());
    configure(layer).layer(BoxCloneService::new(handler))
}

/// Somebody with a browser of their own. Some show their id in another way as well.
struct Visitor {
    name: String,
    browser: Browser,
    shows_token: bool,
}

/// The origin, and the cache in front of it.
struct Site {
    world: World,
    app: App,
    cache: SharedCache,
    now: u64,
}

impl Site {
    /// What a visitor gets, and whether it comes from the cache.
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
            self.world.faults.fail_next(Verb::Read, down);
        }
        let asked = self.app.clone().oneshot(request.clone()).await;
        self.world.faults.clear();
        let (parts, body) = asked
            .map_or_else(|_| failed(), |answer| answer.map(|body| body.into_inner()))
            .into_parts();
        let answer = Response::from_parts(parts, body.unwrap_or_default());
        visitor.browser.keep(&answer);
        self.cache.store(&request, &answer, self.now);
        (answer, false)
    }
}

/// What a server makes of an error of its service.
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

fn habits() -> impl Strategy<Value = Habits> {
    any::<(bool, bool, bool)>().prop_map(|(reads_targeted, ignores_vary, understands)| Habits {
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
    let deed = select(vec![
        Deed::Nothing,
        Deed::Exists,
        Deed::Id,
        Deed::Key,
        Deed::Read,
        Deed::FailToRead,
        Deed::Write,
        Deed::LogIn,
        Deed::LogOut,
        Deed::TakeHandle,
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
    (deed, said, others, status).prop_map(|(deed, said, others, status)| {
        let others = others
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.to_owned()));
        let said = said.into_iter().map(|said| (CACHE_CONTROL, said));
        let headers = said
            .chain(others)
            .map(|(name, value)| (name, HeaderValue::try_from(value).unwrap()));
        Page {
            deed,
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

/// Goes through the steps; says what has gone wrong.
async fn go(habits: Habits, pages: Vec<Page>, steps: &[Step]) -> Result<(), String> {
    let world = world();
    let app = app(&world, pages, |layer| layer);
    let mut site = Site {
        world,
        app,
        cache: SharedCache::new(habits),
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
        let (answer, from_cache) = site.visit(visitor, step.page, step.fails).await;
        if !from_cache {
            continue;
        }
        if answer.headers().contains_key(SET_COOKIE) {
            return Err(format!("{step:?}: a cookie comes from the cache"));
        }
        if let Some(owner) = answer.headers().get(MADE_FOR) {
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
    fn no_answer_of_a_session_is_handed_to_another_visitor(
        habits in habits(),
        pages in prop::collection::vec(page(), PAGES),
        steps in prop::collection::vec(step(), 1..24),
    ) {
        let gone = run(go(habits, pages, &steps));
        prop_assert!(gone.is_ok(), "{:?}", gone);
    }
}

/// A page that says this about caching.
fn page_that_says(deed: Deed, cache_control: &'static str) -> Page {
    Page {
        deed,
        status: 200,
        headers: vec![(CACHE_CONTROL, HeaderValue::from_static(cache_control))],
    }
}

async fn two_newcomers(page: Page, configure: impl FnOnce(SessionLayer) -> SessionLayer) -> (Response<String>, bool) {
    let world = world();
    let app = app(&world, vec![page], configure);
    let mut site = Site {
        world,
        app,
        cache: SharedCache::new(Habits::default()),
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
async fn an_id_is_told_to_one_newcomer_alone() {
    let page = page_that_says(Deed::Write, "public, max-age=3600");
    let (answer, from_cache) = two_newcomers(page, |layer| layer).await;
    assert!(!from_cache);
    assert_eq!(answer.headers()[MADE_FOR], "second");
}

/// What an application asks for by name it gets. This is what the layer is there to prevent.
#[tokio::test]
async fn whoever_keeps_their_own_cache_control_hands_ids_to_everybody() {
    let page = page_that_says(Deed::Write, "public, max-age=3600");
    let (answer, from_cache) = two_newcomers(page, SessionLayer::keep_cache_control).await;
    assert!(from_cache);
    assert_eq!(answer.headers()[MADE_FOR], "first");
    assert!(answer.headers().contains_key(SET_COOKIE));
}

#[tokio::test]
async fn what_leaves_the_session_alone_is_cached_as_its_handler_says() {
    let page = page_that_says(Deed::Nothing, "public, max-age=3600");
    let (answer, from_cache) = two_newcomers(page, |layer| layer).await;
    assert!(from_cache);
    assert_eq!(answer.headers()[CACHE_CONTROL], "public, max-age=3600");
}
