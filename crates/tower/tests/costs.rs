//! What requests cost: allocations and calls of the storage, counted exactly.

// In a helper, too, an unwrap is an assertion.
#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use http::{HeaderValue, Request, Response};
use sessile_core::{IntoStorage, Key, OsEntropy, Session, SessionError, SessionId, Untyped};
use sessile_memory::MemoryStorage;
use sessile_testkit::{Counting, Verb};
use sessile_tower::{BearerCarrier, CookieCarrier, ResponseBody, SessionLayer};
use tower::{Layer, Service, service_fn};

/// Allocates nothing, so that whatever is counted is the layer's.
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

/// How often a call that is done at once allocates.
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
            Poll::Ready(answer) => response = Some(answer.unwrap()),
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
    // The first request of a thread makes room for all that follow, and the first of a layer are watched for clashes.
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
        // The window is one of the things that few visits come with, and few contexts keep.
        (
            Some((
                COOKIE,
                format!("__Host-ST=window-1; __Host-SID={}; __Host-SW=window-1", id.expose()),
            )),
            3,
        ),
        // Ids of another make are kept on the heap.
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

/// The allocation that every visit is.
const VISIT: u64 = 1;

/// What an application asks for costs what it costs, and nothing that it does not ask for.
#[test]
fn functions_that_see_the_request_before_it_is_handled_allocate_nothing_more() {
    let session: Session = Session::builder(memory()).build();
    let with = |configure: fn(SessionLayer) -> SessionLayer| {
        let mut service = configure(SessionLayer::new(session.clone())).layer(Bare);
        // The first requests of a layer are looked at more closely than all that follow.
        for _ in 0..32 {
            let _ = allocations(&mut service, Request::new(()));
        }
        allocations(&mut service, Request::new(())).0
    };
    assert_eq!(
        with(|layer| layer.passive_when(|request| request.uri.path() == "/poll")),
        VISIT
    );
    assert_eq!(with(SessionLayer::keep_cache_control), VISIT);
    // The head of a request without headers is a single box.
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
                session.update_key(COUNT, |count| *count += 1)?;
            } else {
                session.start_readonly().await?;
                assert!(session.get(COUNT)?.is_some());
            }
            Ok(Response::new(()))
        }
    })
}

/// A visitor who has been here, and two services that visitors can come to.
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

impl<R: Answers, W: Answers> Returning<R, W> {
    fn reads(&mut self) -> (u64, Response<ResponseBody<()>>) {
        let request = self.request();
        allocations(&mut self.reader, request)
    }

    fn writes(&mut self) -> (u64, Response<ResponseBody<()>>) {
        let request = self.request();
        allocations(&mut self.writer, request)
    }
}

fn returning(storage: impl IntoStorage) -> Returning<impl Answers, impl Answers> {
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

/// The services of this file, behind the layer.
trait Answers: Service<Request<()>, Response = Response<ResponseBody<()>>, Error = SessionError> {}

impl<S> Answers for S where S: Service<Request<()>, Response = Response<ResponseBody<()>>, Error = SessionError> {}

// A sweeper would allocate on a thread of its own.
fn memory() -> MemoryStorage {
    MemoryStorage::builder().sweeper(false).build()
}

#[test]
fn reading_calls_the_storage_once_and_writing_twice() {
    let storage = Counting::new(memory());
    let calls = storage.calls();
    let mut visitor = returning(storage);
    assert_eq!(calls.take(), [(Verb::Create, 1)]);

    let (_, response) = visitor.reads();
    assert_eq!(calls.take(), [(Verb::Read, 1)]);
    assert!(response.headers().get(SET_COOKIE).is_none());

    let (_, response) = visitor.writes();
    assert_eq!(calls.take(), [(Verb::Lock, 1), (Verb::Commit, 1)]);
    assert!(response.headers().get(SET_COOKIE).is_none());
}

/// Three of each are the headers of an answer that had none before.
#[test]
fn reading_and_writing_allocate_as_much_as_this() {
    let mut visitor = returning(memory());
    // Whatever is made once is made by the first of each, and the first of a layer are watched for clashes.
    for _ in 0..16 {
        let _ = visitor.reads();
        let _ = visitor.writes();
    }

    let (read, _) = visitor.reads();
    let (written, _) = visitor.writes();
    assert_eq!((read, written), (5, 7));
}
