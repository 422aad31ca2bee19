//! Sends requests to a server without a socket.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use axum::body::Body;
use http::header::COOKIE;
use http::{HeaderValue, Method, Request, StatusCode};

use crate::contenders::{Contender, Head};
use crate::jar::Jar;

/// A request.
#[derive(Clone)]
pub(crate) struct RequestSpec {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) cookie: Option<HeaderValue>,
}

impl RequestSpec {
    pub(crate) fn get(path: &'static str, cookie: &HeaderValue) -> Self {
        Self {
            method: Method::GET,
            path,
            cookie: Some(cookie.clone()),
        }
    }

    pub(crate) fn post(path: &'static str, cookie: Option<HeaderValue>) -> Self {
        Self {
            method: Method::POST,
            path,
            cookie,
        }
    }

    pub(crate) fn request(&self) -> Request<Body> {
        let mut request = Request::builder().method(&self.method).uri(self.path);
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        request.body(Body::empty()).expect("the request is well formed")
    }

    /// Sends it on this thread.
    pub(crate) fn send(&self, contender: &mut Contender) -> Head {
        let head = contender.handle(self.request());
        self.check(&head);
        head
    }

    pub(crate) fn check(&self, head: &Head) {
        assert_eq!(head.status, StatusCode::OK, "{} {}", self.method, self.path);
    }
}

/// Returns a runtime: timers of storages need one, and blocking on a disk needs its threads.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime starts")
}

/// Returns a runtime for many concurrent tasks.
pub(crate) fn threads(workers: usize) -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a runtime starts")
}

/// Returns the cookie of a client that has posted to these paths, in this order.
pub(crate) fn visit(contender: &mut Contender, paths: &[&'static str]) -> HeaderValue {
    let mut jar = Jar::default();
    let mut cookie = None;
    for path in paths {
        jar.keep(&RequestSpec::post(path, cookie).send(contender).headers);
        cookie = Some(jar.header());
    }
    jar.header()
}

/// Polls a future that never waits: there is one client and one thread, and everything is in memory.
pub(crate) fn finish<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a request is pending"),
    }
}
