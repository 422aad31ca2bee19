//! Sending requests to a server, without a socket in between.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::Body;
use cpu_time::ThreadTime;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Method, Request, StatusCode};

use crate::contenders::{Contender, Head};

/// What one request is.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) cookie: Option<HeaderValue>,
}

impl Ask {
    pub(crate) fn send(&self, contender: &mut Contender) -> Head {
        let mut request = Request::builder().method(&self.method).uri(self.path);
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(Body::empty()).expect("the request is well formed");
        let head = contender.answer(request);
        assert_eq!(head.status, StatusCode::OK, "{} {}", self.method, self.path);
        head
    }
}

/// Timers of storages want to find a runtime; nothing is ever spawned on it.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().expect("a runtime starts")
}

/// The thread's processor time for each of `count` requests.
pub(crate) fn time_of(contender: &mut Contender, ask: &Ask, count: u32) -> Duration {
    let start = ThreadTime::now();
    for _ in 0..count {
        drop(ask.send(contender));
    }
    start.elapsed() / count
}

/// A cookie of a session that holds one number. A server without sessions gets one as long as the others'.
pub(crate) fn visit(contender: &mut Contender) -> HeaderValue {
    let first = Ask {
        method: Method::POST,
        path: "/count",
        cookie: None,
    };
    let head = first.send(contender);
    let Some(cookie) = head.headers.get(SET_COOKIE) else {
        return HeaderValue::from_static("SID=0123456789abcdef0123456789abcdef");
    };
    let pair = cookie.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    HeaderValue::from_bytes(pair).expect("it was a part of a header")
}

/// Nothing here ever has to wait: one visitor, one thread, all in memory.
pub(crate) fn finish<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a request had to wait"),
    }
}
