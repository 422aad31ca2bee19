//! [`LeanService`]: reads the cookie, enters the visit for each poll, and writes changes.

use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use sessile::SessionId;
use sessile::entropy::Entropy;
use tower_service::Service;

use super::store::Store;
use super::visit::{CURRENT, State, Visit};

#[derive(Clone)]
pub(super) struct LeanService<S, E> {
    inner: S,
    store: Arc<Store>,
    entropy: E,
}

impl<S, E> LeanService<S, E> {
    pub(super) fn new(inner: S, store: Arc<Store>, entropy: E) -> Self {
        Self { inner, store, entropy }
    }
}

impl<S, E, B, R> Service<Request<B>> for LeanService<S, E>
where
    S: Service<Request<B>, Response = Response<R>>,
    E: Entropy + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = LeanFuture<S::Future, E>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let visit = Box::new(Visit {
            store: Arc::clone(&self.store),
            id: extract_id(request.headers()),
            state: State::Idle,
        });
        LeanFuture {
            inner: self.inner.call(request),
            visit: Some(visit),
            entropy: self.entropy.clone(),
        }
    }
}

pin_project! {
    pub(super) struct LeanFuture<F, E> {
        #[pin]
        inner: F,
        visit: Option<Box<Visit>>,
        entropy: E,
    }
}

impl<F, E, R, X> Future for LeanFuture<F, E>
where
    F: Future<Output = Result<Response<R>, X>>,
    E: Entropy,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        CURRENT.set(this.visit.take());
        let polled = this.inner.poll(cx);
        *this.visit = CURRENT.take();
        let mut result = ready!(polled);
        if let (Ok(response), Some(visit)) = (&mut result, this.visit.take()) {
            end(*visit, response.headers_mut(), this.entropy);
        }
        Poll::Ready(result)
    }
}

/// Returns the id in the cookies.
fn extract_id(headers: &HeaderMap) -> Option<SessionId> {
    let lines = headers.get_all(COOKIE).into_iter();
    let mut pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let value = pairs.find_map(|pair| pair.trim_ascii().strip_prefix(b"SID="))?;
    SessionId::parse_bytes(value)
}

/// Writes changes, and sets the headers that browsers and caches need.
fn end(visit: Visit, headers: &mut HeaderMap, entropy: &dyn Entropy) {
    let State::Started {
        key,
        loaded,
        is_writable,
        is_changed,
    } = visit.state
    else {
        return;
    };
    match key {
        Some(key) if is_changed => assert!(visit.store.commit(&key, &loaded), "the lock was held"),
        Some(key) if is_writable => visit.store.release(&key, loaded.lock_id),
        None if is_changed => {
            let id = SessionId::generate(entropy);
            assert!(visit.store.create(&id.key(), loaded.payload), "ids are unique");
            headers.append(SET_COOKIE, cookie(&id, visit.store.lifetime().as_secs()));
        }
        _ => {}
    }
    headers.append(VARY, HeaderValue::from_static("cookie"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

fn cookie(id: &SessionId, seconds: u64) -> HeaderValue {
    let mut text = String::with_capacity(112);
    text.push_str("SID=");
    text.push_str(id.expose());
    text.push_str("; Max-Age=");
    let _ = write!(text, "{seconds}");
    text.push_str("; Path=/; HttpOnly; SameSite=Lax");
    let mut value = HeaderValue::try_from(text).expect("these are characters of headers");
    value.set_sensitive(true);
    value
}
