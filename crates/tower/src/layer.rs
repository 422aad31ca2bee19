//! [`SessionLayer`].

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Response, response};
use sessile_core::{Namespaces, Session, SessionError, Untyped, Values};
use tower_layer::Layer;

use crate::carriers::Carrier;
use crate::config::{Config, InUse};
use crate::request::RequestHead;
use crate::service::SessionService;

/// Gives every request of a service a visit to its session.
///
/// See the [crate's front page](crate) for what happens to a request and its answer.
///
/// ```
/// use http::{Request, Response, header::SET_COOKIE};
/// use sessile_core::{Session, SessionError};
/// use sessile_tower::SessionLayer;
/// use tower::{Layer, ServiceExt, service_fn};
/// use sessile_memory::MemoryStorage;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
/// let session: Session = Session::builder(MemoryStorage::new()).build();
/// let handler = session.clone();
/// let service = service_fn(move |_: Request<()>| {
///     let session = handler.clone();
///     async move {
///         session.start().await?;
///         session.set("user", "ada")?;
///         Ok::<_, SessionError>(Response::new("welcome"))
///     }
/// });
///
/// let service = SessionLayer::new(session).layer(service);
/// let response = service.oneshot(Request::new(())).await?;
/// assert!(response.headers()[SET_COOKIE].to_str().unwrap().starts_with("__Host-SID="));
/// # Ok(())
/// # }
/// ```
pub struct SessionLayer<N = Untyped, V = Untyped> {
    shared: Arc<Shared<N, V>>,
}

/// The part that a layer, its clones and all the services it makes have in common, so that a clone of any of them
/// counts one reference.
pub(crate) struct Shared<N, V> {
    pub(crate) session: Session<N, V>,
    /// The settings that answers are made by, which know nothing of the session's types.
    pub(crate) config: Arc<Config>,
}

impl<N: Namespaces, V: Values> SessionLayer<N, V> {
    /// A layer for this session. Ids travel in the cookie `__Host-SID`; see
    /// [`CookieCarrier`](crate::CookieCarrier).
    #[must_use]
    pub fn new(session: Session<N, V>) -> Self {
        let shared = Shared {
            session,
            config: Arc::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }
}

impl<N, V> SessionLayer<N, V> {
    /// Ids travel by this carrier, and by those that [`or_carrier`](SessionLayer::or_carrier) adds, instead of by the
    /// default one.
    ///
    /// ```
    /// use sessile_core::Session;
    /// use sessile_tower::{BearerCarrier, CookieCarrier, SessionLayer};
    /// use sessile_memory::MemoryStorage;
    ///
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let layer = SessionLayer::new(session)
    ///     .carrier(CookieCarrier::insecure())
    ///     .or_carrier(BearerCarrier::new());
    /// ```
    #[must_use]
    pub fn carrier(self, carrier: impl Carrier) -> Self {
        self.configure(|config| config.carriers = vec![InUse::new(carrier)])
    }

    /// Ids travel by this carrier if no carrier before it finds one in a request.
    ///
    /// The answer goes by the carrier that had the id, or by the first if none had. A carrier whose requests other
    /// sites can cause, such as a cookie, makes an application open to cross-site request forgery in a way that a
    /// header does not; whoever accepts both is protected as well as the weaker of the two.
    ///
    /// No more than 256 carriers are asked; what comes beyond is dropped.
    #[must_use]
    pub fn or_carrier(self, carrier: impl Carrier) -> Self {
        self.configure(|config| config.ask_also(carrier))
    }

    /// Whether an answer means that what was done to the session is to be kept. By default it does unless its status
    /// is a server error (5xx) or 408, with which layers cut a handler off midway, or, for gRPC, its head says that the
    /// call failed.
    ///
    /// The head of the request is kept, which copies its headers and extensions, if there is this function or that of
    /// [`on_error`](SessionLayer::on_error).
    ///
    /// ```
    /// use sessile_core::Session;
    /// use sessile_memory::MemoryStorage;
    /// use sessile_tower::SessionLayer;
    ///
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let layer = SessionLayer::new(session)
    ///     .commit_when(|request, parts| match request.uri.path() {
    ///         "/import" => true, // However far it came.
    ///         _ => parts.status.is_success() || parts.status.is_redirection(),
    ///     });
    /// ```
    #[must_use]
    pub fn commit_when(
        self,
        decide: impl Fn(&RequestHead<'_>, &response::Parts) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.configure(|config| config.commit_when = Some(Arc::new(decide)))
    }

    /// Whether a request only looks, as a page that polls does: its visit then moves no sliding expiration unless it
    /// writes, so that a window left open keeps nobody logged in. See [`Visit::passive`](sessile_core::Visit::passive).
    /// By default none does.
    ///
    /// Behind a layer like this for some routes alone, `|_| true` does for them.
    ///
    /// ```
    /// use sessile_core::Session;
    /// use sessile_memory::MemoryStorage;
    /// use sessile_tower::SessionLayer;
    ///
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let layer = SessionLayer::new(session).passive_when(|request| request.uri.path() == "/news/poll");
    /// ```
    #[must_use]
    pub fn passive_when(self, decide: impl Fn(&RequestHead<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.configure(|config| config.passive_when = Some(Arc::new(decide)))
    }

    /// What the client gets when the session could not be closed, or not be
    /// [started by itself](sessile_core::SessionBuilder::auto_start).
    ///
    /// Where the function returns `None`, and by default:
    ///
    /// | error | answer |
    /// |---|---|
    /// | [`Gone`](SessionError::Gone), when the session ended while something in it was changed | 409 |
    /// | [`Superseded`](SessionError::Superseded) | 409 |
    /// | any other | 503, with `Retry-After` if the error [is retryable](SessionError::is_retryable) |
    ///
    /// A change that was lost is never answered by a success. With a 409 the id that the client has by now, which
    /// another answer has told it or taken from it, is left alone. A session that ended without anything being lost is
    /// no failure: the answer passes.
    ///
    /// Calls of gRPC are answered in its own terms and with the `Content-Type` of the call, be it that of gRPC or of
    /// gRPC-Web: with `ABORTED` for a 409, and for a 503 with `UNAVAILABLE` or, if the error is not retryable,
    /// `INTERNAL`.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::Response;
    /// use sessile_core::{Session, SessionError};
    /// use sessile_tower::SessionLayer;
    /// use sessile_memory::MemoryStorage;
    ///
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let layer = SessionLayer::new(session).on_error(|request, error| match error {
    ///     SessionError::LockTimeout if request.uri.path().starts_with("/api/") => {
    ///         let mut response = Response::new(Bytes::from_static(b"{\"error\":\"busy\"}"));
    ///         *response.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
    ///         Some(response)
    ///     }
    ///     _ => None,
    /// });
    /// ```
    #[must_use]
    pub fn on_error(
        self,
        respond: impl Fn(&RequestHead<'_>, &SessionError) -> Option<Response<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        self.configure(|config| config.on_error = Some(Arc::new(respond)))
    }

    /// Leaves a `Cache-Control` that the service has set as it is, and what it tells single caches, be it that the
    /// answer holds an id or what is in a session. By default such answers are kept out of caches that visitors share.
    ///
    /// Only for services that know better: a cache that stores an answer with an id gives it to everybody. An answer
    /// without `Cache-Control` gets one in any case.
    ///
    /// ```
    /// use sessile_core::Session;
    /// use sessile_memory::MemoryStorage;
    /// use sessile_tower::SessionLayer;
    ///
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let layer = SessionLayer::new(session).keep_cache_control();
    /// ```
    #[must_use]
    pub fn keep_cache_control(self) -> Self {
        self.configure(|config| config.keep_cache_control = true)
    }

    /// Requests carry their visit in their extensions too, as [`Visits`](sessile_core::Visits), for handlers that run in
    /// another task than the layer: behind a pool of threads, a buffer that does its work in `call`, or whatever spawns.
    ///
    /// The extractors of axum find the session there; others take it out of the request. It costs each request some
    /// allocations, which is why it is not done by default. Layers further in that clone a request's extensions pass the
    /// visit on.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use sessile_core::{Session, SessionError, Visits};
    /// use sessile_memory::MemoryStorage;
    /// use sessile_tower::SessionLayer;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let layer = SessionLayer::new(session).visit_in_extensions();
    /// let service = layer.layer(service_fn(|request: Request<()>| async move {
    ///     let elsewhere = tokio::spawn(async move {
    ///         let visits = request.extensions().get::<Visits>();
    ///         let session: Session = visits.and_then(Visits::session).ok_or(SessionError::NotInitialised)?;
    ///         session.start().await?;
    ///         session.set("user", "ada")
    ///     });
    ///     elsewhere.await.expect("it does not panic")?;
    ///     Ok::<_, SessionError>(Response::new("welcome"))
    /// }));
    /// let response = service.oneshot(Request::new(())).await?;
    /// assert!(response.headers().contains_key("set-cookie"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn visit_in_extensions(self) -> Self {
        self.configure(|config| config.visit_in_extensions = true)
    }

    fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        let shared = Arc::make_mut(&mut self.shared);
        change(Arc::make_mut(&mut shared.config));
        self
    }
}

impl<S, N, V> Layer<S> for SessionLayer<N, V> {
    type Service = SessionService<S, N, V>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService::new(inner, Arc::clone(&self.shared))
    }
}

impl<N, V> Clone for SessionLayer<N, V> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<N, V> Clone for Shared<N, V> {
    fn clone(&self) -> Self {
        Self {
            session: self.session.clone(),
            config: Arc::clone(&self.config),
        }
    }
}

impl<N, V> fmt::Debug for SessionLayer<N, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer")
            .field("session", &self.shared.session)
            .field("config", &self.shared.config)
            .finish()
    }
}
