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
use crate::layer::Shared;
use crate::request::RequestHead;
use crate::response::Answering;

/// A service whose requests each have a visit to their session; made by [`SessionLayer`](crate::SessionLayer).
///
/// The inner service is cloned only for a session that is
/// [started by itself](sessile_core::SessionBuilder::auto_start), as it then cannot be called at once.
pub struct SessionService<S, N = Untyped, V = Untyped> {
    inner: S,
    shared: Arc<Shared<N, V>>,
}

impl<S, N, V> SessionService<S, N, V> {
    pub(crate) fn new(inner: S, shared: Arc<Shared<N, V>>) -> Self {
        Self { inner, shared }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service.
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
        let refused = config
            .watch
            .refuses(&config.carriers, &mut request, || session.is_initialised());
        let head = RequestHead::of(&request);
        let found = config.find(&head);
        let visit = session.open(found.visit().passive(config.is_passive(&head)));
        let answering = Answering::new(Arc::clone(config), found, &request);
        if config.visit_in_extensions {
            let visits: &mut Visits = request.extensions_mut().get_or_insert_default();
            visits.push(visit.handle().clone());
        }
        // A session that starts by itself would wait for the lock of the visit that it is in.
        let waits = visit.starts_by_itself();
        let refused = refused || (waits && session.is_initialised());
        if waits || refused {
            // It is this service that was made ready; its clone may not be.
            let clone = self.inner.clone();
            let ready = mem::replace(&mut self.inner, clone);
            return ResponseFuture::starting(visit, answering, refused, ready, request);
        }
        ResponseFuture::working(visit.work(|| self.inner.call(request)), answering)
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

    /// Frameworks clone services for every request.
    #[test]
    fn a_service_is_one_pointer_larger_than_what_is_inside() {
        assert_eq!(size_of::<SessionService<()>>(), size_of::<usize>());
        assert_eq!(size_of::<SessionService<Arc<()>>>(), 2 * size_of::<usize>());
    }
}
