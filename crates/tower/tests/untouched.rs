//! A request that leaves its session alone costs next to nothing.

// In a helper, too, an unwrap is an assertion.
#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::header::{AUTHORIZATION, COOKIE};
use http::{Request, Response};
use sessile_core::{OsEntropy, Session, SessionId};
use sessile_memory::MemoryStorage;
use sessile_testkit::Counting;
use sessile_tower::{BearerCarrier, CookieCarrier, SessionLayer};
use tower::{Layer, Service};

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
    S: Service<Request<()>, Response = Response<R>, Error = Infallible>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let mut response = None;
    let counted = allocation_counter::measure(|| {
        assert!(service.poll_ready(&mut cx).is_ready());
        match pin!(service.call(request)).poll(&mut cx) {
            Poll::Ready(Ok(answer)) => response = Some(answer),
            Poll::Pending => panic!("the call has to wait for something"),
        }
    });
    (counted.count_total, response.expect("the call is done"))
}

#[test]
fn an_untouched_request_allocates_its_context_and_nothing_else() {
    let storage = Counting::new(MemoryStorage::builder().sweeper(false).build());
    let calls = storage.calls();
    let session: Session = Session::builder(storage).build();
    let (bare, _) = allocations(&mut Bare, Request::new(()));
    assert_eq!(bare, 0);

    let layer = SessionLayer::new(session)
        .carrier(CookieCarrier::default())
        .or_carrier(BearerCarrier::new());
    let mut service = layer.layer(Bare);
    // The first request of a thread makes room for all that follow.
    let _ = allocations(&mut service, Request::new(()));

    let id = SessionId::generate(&OsEntropy);
    let foreign = "0123456789abcdef";
    for (header, expected) in [
        (None, 1),
        (Some((COOKIE, format!("a=b; __Host-SID={}; c=d", id.expose()))), 1),
        (Some((COOKIE, format!("__Host-ST=1; __Host-SID={}", id.expose()))), 1),
        (Some((COOKIE, "__Host-SID=not!an!id; other=1".to_owned())), 1),
        (Some((AUTHORIZATION, format!("Bearer {}", id.expose()))), 1),
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
