//! A layer that does nothing, around the floor: the cost of any layer.
//!
//! It boxes and reads nothing. Requests and responses still pass through one more service and one more future. No
//! session layer can avoid these, so none can cost less.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{Contender, bare};

pub(super) const NAME: &str = "null layer";

pub(crate) fn make() -> Contender {
    Contender::new(NAME, Null.layer(bare::router()))
}

struct Null;

impl<S> Layer<S> for Null {
    type Service = NullService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        NullService { inner }
    }
}

#[derive(Clone)]
struct NullService<S> {
    inner: S,
}

impl<S: Service<R>, R> Service<R> for NullService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = NullFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        NullFuture {
            inner: self.inner.call(request),
        }
    }
}

pin_project! {
    struct NullFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F: Future> Future for NullFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().inner.poll(cx)
    }
}
