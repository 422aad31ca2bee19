//! [`SessionService`].

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use sessile_core::{Namespaces, Untyped, Values, Visits};
use tower_service::Service;

use crate::body::ResponseBody;
use crate::future::ResponseFuture;
use crate::request::RequestHead;
use crate::response::Responder;
use crate::shared::Shared;

/// A service that opens a visit to the session for each request; made by [`SessionLayer`](crate::SessionLayer).
///
/// Clones the inner service only if the layer [starts the session](sessile_core::SessionBuilder::auto_start), as the
/// call then has to wait.
pub struct SessionService<S, N = Untyped, V = Untyped> {
    inner: S,
    shared: Arc<Shared<N, V>>,
}

impl<S, N, V> SessionService<S, N, V> {
    pub(crate) fn new(inner: S, shared: Arc<Shared<N, V>>) -> Self {
        Self { inner, shared }
    }

    /// Returns a reference to the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, N, V, B, R> Service<Request<B>> for SessionService<S, N, V>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    N: Namespaces,
    V: Values,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Shared { session, config } = &*self.shared;
        let collides = config
            .collisions
            .rejects(&config.carriers, &mut request, || session.is_initialised());
        let head = RequestHead::of(&request);
        let candidates = config.carriers.extract(&head);
        let visit = config.describe(candidates.visit(), &head);
        let responder = Responder::new(Arc::clone(config), candidates, &request);

        let visit = session.open(visit);
        if config.visit_in_extensions {
            let visits: &mut Visits = request.extensions_mut().get_or_insert_default();
            visits.push(visit.handle().clone());
        }
        let auto_starts = visit.starts_by_itself();
        // An inner layer of the same session would wait for the lock of its own outer visit.
        let rejected = collides || (auto_starts && session.is_initialised());
        if auto_starts || rejected {
            // `poll_ready` was called on this service, and its clone may not be ready.
            let clone = self.inner.clone();
            let ready = mem::replace(&mut self.inner, clone);
            return ResponseFuture::starting(visit, responder, rejected, ready, request);
        }
        ResponseFuture::working(visit.work(|| self.inner.call(request)), responder)
    }
}

impl<S: Clone, N, V> Clone for SessionService<S, N, V> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S: fmt::Debug, N, V> fmt::Debug for SessionService<S, N, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService")
            .field("inner", &self.inner)
            .field("session", &self.shared.session)
            .field("config", &self.shared.config)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frameworks clone the service for every request.
    #[test]
    fn a_service_is_one_pointer_larger_than_the_inner_one() {
        assert_eq!(size_of::<SessionService<()>>(), size_of::<usize>());
        assert_eq!(size_of::<SessionService<Arc<()>>>(), 2 * size_of::<usize>());
    }
}
