//! Sending requests to a router, without a socket in between.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use cpu_time::ThreadTime;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tower_service::Service;

/// What one request is.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) cookie: Option<HeaderValue>,
}

impl Ask {
    pub(crate) fn send(&self, router: &mut Router) -> Response<Body> {
        let mut request = Request::builder().method(&self.method).uri(self.path);
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(Body::empty()).expect("the request is well formed");
        let Ok(response) = finish(router.call(request));
        assert_eq!(response.status(), StatusCode::OK, "{} {}", self.method, self.path);
        response
    }
}

/// The thread's processor time for each of `count` requests.
pub(crate) fn time_of(router: &mut Router, ask: &Ask, count: u32) -> Duration {
    let start = ThreadTime::now();
    for _ in 0..count {
        drop(ask.send(router));
    }
    start.elapsed() / count
}

/// A cookie of a session that holds one number, if the router knows sessions.
pub(crate) fn visit(router: &mut Router) -> Option<HeaderValue> {
    let first = Ask {
        method: Method::POST,
        path: "/count",
        cookie: None,
    };
    let response = first.send(router);
    let cookie = response.headers().get(SET_COOKIE)?.to_str().ok()?;
    let pair = cookie.split(';').next()?;
    HeaderValue::from_str(pair).ok()
}

/// Nothing here ever has to wait: one visitor, one thread, all in memory.
fn finish<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a request had to wait"),
    }
}
