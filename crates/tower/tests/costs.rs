//! Counts the allocations and storage calls of requests exactly.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use http::{HeaderValue, Request, Response};
use sessile_core::{ClientFacts, IntoStorage, Key, OsEntropy, Session, SessionError, SessionId, Untyped};
use sessile_memory::MemoryStorage;
use sessile_testkit::{Counting, Operation};
use sessile_tower::{BearerCarrier, ClientReader, CookieCarrier, ResponseBody, SessionLayer};
use tower::{Layer, Service, service_fn};

/// Allocates nothing, so that all counted allocations are the layer's.
#[derive(Clone)]
struct Bare;

impl Service<Request<()>> for Bare {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(())))
    }
}

/// Counts the allocations of a call that completes at once.
fn allocations<S, R>(service: &mut S, request: Request<()>) -> (u64, Response<R>)
where
    S: Service<Request<()>, Response = Response<R>>,
    S::Error: std::fmt::Debug,
{
    let mut cx = Context::from_waker(Waker::noop());
    let mut response = None;
    let counted = allocation_counter::measure(|| {
        assert!(service.poll_ready(&mut cx).is_ready());
        match pin!(service.call(request)).poll(&mut cx) {
            Poll::Ready(result) => response = Some(result.unwrap()),
            Poll::Pending => panic!("the call has to wait for something"),
        }
    });
    (counted.count_total, response.expect("the call is done"))
}

#[test]
fn an_untouched_request_allocates_its_visit_and_nothing_else() {
    let storage = Counting::new(MemoryStorage::builder().sweeper(false).build());
    let calls = storage.calls();
    let session: Session = Session::builder(storage).build();
    let (bare, _) = allocations(&mut Bare, Request::new(()));
    assert_eq!(bare, 0);

    let layer = SessionLayer::new(session)
        .carrier(CookieCarrier::default())
        .or_carrier(BearerCarrier::new());
    let mut service = layer.layer(Bare);
    // The first request of a thread allocates space for later ones, and a layer checks its first requests for
    // collisions.
    for _ in 0..16 {
        let _ = allocations(&mut service, Request::new(()));
    }

    let id = SessionId::generate(&OsEntropy);
    let foreign = "0123456789abcdef";
    for (header, expected) in [
        (None, 1),
        (Some((COOKIE, format!("a=b; __Host-SID={}; c=d", id.expose()))), 1),
        (Some((COOKIE, format!("__Host-ST=1; __Host-SID={}", id.expose()))), 1),
        (Some((COOKIE, "__Host-SID=not!an!id; other=1".to_owned())), 1),
        (Some((AUTHORIZATION, format!("Bearer {}", id.expose()))), 1),
        // The window is among the rarely used state of a visit, which is allocated on demand.
        (
            Some((
                COOKIE,
                format!("__Host-ST=window-1; __Host-SID={}; __Host-SW=window-1", id.expose()),
            )),
            3,
        ),
        // Ids in a foreign format are kept on the heap.
        (Some((COOKIE, format!("__Host-SID={foreign}"))), 2),
    ] {
        let shown = format!("{header:?}");
        let mut request = Request::new(());
        if let Some((name, value)) = header {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let (count, response) = allocations(&mut service, request);
        assert_eq!(count, expected, "{shown}");
        assert!(response.headers().is_empty(), "{shown}: {:?}", response.headers());
    }
    calls.assert_none();
}

/// The one allocation of every visit.
const VISIT: u64 = 1;

/// Only the functions that an application sets cost anything.
#[test]
fn functions_that_read_the_request_before_the_call_allocate_nothing() {
    let session: Session = Session::builder(memory()).build();
    let with = |configure: fn(SessionLayer) -> SessionLayer| {
        let mut service = configure(SessionLayer::new(session.clone())).layer(Bare);
        // A layer checks its first requests for collisions.
        for _ in 0..32 {
            let _ = allocations(&mut service, Request::new(()));
        }
        allocations(&mut service, Request::new(())).0
    };
    assert_eq!(
        with(|layer| layer.passive_when(|request| request.uri.path() == "/poll")),
        VISIT
    );
    // Facts about the client cost something only if there are any.
    assert_eq!(with(|layer| layer.client_reader(ClientReader::new())), VISIT);
    assert_eq!(with(|layer| layer.client_facts(|_| ClientFacts::new())), VISIT);
    assert!(with(|layer| layer.client_facts(|_| ClientFacts::new().label("kiosk"))) > VISIT);
    assert_eq!(with(SessionLayer::keep_cache_control), VISIT);
    // The copied head of a request without headers is a single box.
    assert_eq!(with(|layer| layer.commit_when(|_, _| true)), VISIT + 1);
    assert_eq!(with(|layer| layer.on_error(|_, _| None)), VISIT + 1);
    assert!(with(SessionLayer::visit_in_extensions) > VISIT);
}

const COUNT: Key<Untyped, u64> = Key::new("count");

/// A service that reads one number, or adds one to it, and allocates nothing itself.
fn counter(
    session: Session,
    write: bool,
) -> impl Service<Request<()>, Response = Response<()>, Error = SessionError> + Clone {
    service_fn(move |_: Request<()>| {
        let session = session.clone();
        async move {
            if write {
                session.start().await?;
                session.update(COUNT, |count| *count += 1)?;
            } else {
                session.start_readonly().await?;
                assert!(session.get(COUNT)?.is_some());
            }
            Ok(Response::new(()))
        }
    })
}

/// A visitor with a session, and a service that reads it and one that writes it.
struct Returning<R, W> {
    cookie: HeaderValue,
    reader: R,
    writer: W,
}

impl<R, W> Returning<R, W> {
    fn request(&self) -> Request<()> {
        let mut request = Request::new(());
        request.headers_mut().insert(COOKIE, self.cookie.clone());
        request
    }
}

impl<R: Handler, W: Handler> Returning<R, W> {
    fn reads(&mut self) -> (u64, Response<ResponseBody<()>>) {
        let request = self.request();
        allocations(&mut self.reader, request)
    }

    fn writes(&mut self) -> (u64, Response<ResponseBody<()>>) {
        let request = self.request();
        allocations(&mut self.writer, request)
    }
}

fn returning(storage: impl IntoStorage) -> Returning<impl Handler, impl Handler> {
    let session: Session = Session::builder(storage).build();
    let layer = SessionLayer::new(session.clone());
    let reader = layer.layer(counter(session.clone(), false));
    let mut writer = layer.layer(counter(session, true));
    let (_, response) = allocations(&mut writer, Request::new(()));
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
    Returning {
        cookie: cookie.split(';').next().unwrap().parse().unwrap(),
        reader,
        writer,
    }
}

/// A service of this file behind the layer.
trait Handler: Service<Request<()>, Response = Response<ResponseBody<()>>, Error = SessionError> {}

impl<S> Handler for S where S: Service<Request<()>, Response = Response<ResponseBody<()>>, Error = SessionError> {}

// A sweeper would allocate on its own thread.
fn memory() -> MemoryStorage {
    MemoryStorage::builder().sweeper(false).build()
}

#[test]
fn reading_calls_the_storage_once_and_writing_twice() {
    let storage = Counting::new(memory());
    let calls = storage.calls();
    let mut visitor = returning(storage);
    assert_eq!(calls.take(), [(Operation::Create, 1)]);

    let (_, response) = visitor.reads();
    assert_eq!(calls.take(), [(Operation::Read, 1)]);
    assert!(response.headers().get(SET_COOKIE).is_none());

    let (_, response) = visitor.writes();
    assert_eq!(calls.take(), [(Operation::Lock, 1), (Operation::Commit, 1)]);
    assert!(response.headers().get(SET_COOKIE).is_none());
}

/// Three of each are for the first headers of the response.
#[test]
fn reading_and_writing_allocate_a_fixed_amount() {
    let mut visitor = returning(memory());
    // The first requests also allocate what is made once, and are checked for collisions.
    for _ in 0..16 {
        let _ = visitor.reads();
        let _ = visitor.writes();
    }

    let (read, _) = visitor.reads();
    let (written, _) = visitor.writes();
    assert_eq!((read, written), (5, 7));
}
