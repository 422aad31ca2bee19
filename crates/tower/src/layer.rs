//! [`SessionLayer`].

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Response, response};
use sessile_core::{ClientFacts, Namespaces, Session, SessionError, Untyped, Values};
use tower_layer::Layer;

use crate::carriers::{Carrier, CarrierList, DocumentCarriers};
use crate::client::ClientReader;
use crate::config::Config;
use crate::request::RequestHead;
use crate::service::SessionService;
use crate::shared::Shared;

/// Middleware that opens a visit to the session for every request, and ends it before the response is sent.
///
/// The [crate's documentation](crate) describes the handling of requests and responses.
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

impl<N: Namespaces, V: Values> SessionLayer<N, V> {
    /// Creates a layer for `session`, whose ids travel in the cookie `__Host-SID`; see
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
    /// Sets the carrier of ids, instead of the default one. [`or_carrier`](SessionLayer::or_carrier) adds further ones.
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
        self.configure(|config| config.carriers = CarrierList::new(carrier))
    }

    /// Adds a carrier, whose ids are tried after those of the carriers before it.
    ///
    /// The carrier of the session's id writes the response, or the first carrier if there was no id. A carrier can
    /// [decide](crate::Candidates::decide) that those after it are not consulted. Cookies accompany
    /// requests that other sites cause, which headers do not, so they expose an application to cross-site request
    /// forgery; an application that accepts both is as exposed as with cookies alone.
    ///
    /// A layer consults at most 256 carriers and ignores further ones.
    #[must_use]
    pub fn or_carrier(self, carrier: impl Carrier) -> Self {
        self.configure(|config| config.carriers.push(carrier))
    }

    /// Sets the carriers to those of live documents, in their order.
    #[must_use]
    pub fn document_carriers(self, carriers: DocumentCarriers) -> Self {
        self.configure(|config| config.carriers = carriers.into_list())
    }

    /// Sets the function that decides by the response whether to commit the session. By default the layer commits
    /// unless the status is a server error (5xx) or 408, which timeout layers send after they have stopped a handler
    /// midway, or the head of a gRPC response reports a failed call.
    ///
    /// With this function or that of [`on_error`](SessionLayer::on_error), the layer copies the head of every request,
    /// with its headers and extensions.
    ///
    /// ```
    /// use sessile_core::Session;
    /// use sessile_memory::MemoryStorage;
    /// use sessile_tower::SessionLayer;
    ///
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let layer = SessionLayer::new(session)
    ///     .commit_when(|request, parts| match request.uri.path() {
    ///         "/import" => true, // Keeps partial imports.
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

    /// Sets the function that decides whether the visit of a request is passive, such as that of a page that polls: it
    /// extends no sliding expiration unless it writes, so that an open window does not keep a visitor logged in. See
    /// [`Visit::passive`](sessile_core::Visit::passive). By default no visit is.
    ///
    /// A layer around polling routes alone can use `|_| true`.
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

    /// Sets the function that tells what is known of the client of a request, such as its address and user agent. The
    /// session remembers it if it begins in this request or its owner [logs in](Session::log_in), and the
    /// [registry](Session::registry) shows it. By default nothing is remembered.
    ///
    /// [`client_reader`](SessionLayer::client_reader) has what most applications need. The function is called for each
    /// request, and its texts are copied. Texts that are too long are cut, see [`ClientFacts`].
    ///
    /// ```
    /// use sessile_core::Session;
    /// use sessile_memory::MemoryStorage;
    /// use sessile_tower::{ClientReader, SessionLayer};
    ///
    /// let reader = ClientReader::new();
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let layer = SessionLayer::new(session).client_facts(move |request| reader.read(request).label("kiosk"));
    /// ```
    #[must_use]
    pub fn client_facts(
        self,
        facts: impl for<'a> Fn(&RequestHead<'a>) -> ClientFacts<'a> + Send + Sync + 'static,
    ) -> Self {
        self.configure(|config| config.client_facts = Some(Arc::new(facts)))
    }

    /// Sets the reader of what is known of the client of a request, in place of a
    /// [function](SessionLayer::client_facts).
    #[must_use]
    pub fn client_reader(self, reader: ClientReader) -> Self {
        self.client_facts(move |request| reader.read(request))
    }

    /// Sets the function that builds the response to a request whose session could not be closed, or not
    /// [started by the layer](sessile_core::SessionBuilder::auto_start).
    ///
    /// If the function returns `None`, and by default, the response is [`SessionError::to_response`]:
    ///
    /// | error | status |
    /// |---|---|
    /// | [`Gone`](SessionError::Gone), if the session ended while the request changed it | 409 |
    /// | [`Superseded`](SessionError::Superseded) | 409 |
    /// | failures of the storage or of locking | 503, with `Retry-After` if the error [is retryable](SessionError::is_retryable) |
    /// | mistakes of the application, such as a session that is [too large](SessionError::TooLarge) | 500 |
    ///
    /// A lost change never results in a success. A 409 leaves the client's cookie alone, as the response to another
    /// request has set or removed it. If the session ended and no change was lost, the layer forwards the response of
    /// the service.
    ///
    /// Responses to gRPC and gRPC-Web calls keep the `Content-Type` of the call and have a gRPC status: `ABORTED` for a
    /// 409, otherwise `UNAVAILABLE` if the error is retryable and `INTERNAL` if not.
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

    /// Keeps the `Cache-Control` of the service, and its headers for single caches, even in responses that contain an
    /// id or session data. By default the layer keeps such responses out of shared caches.
    ///
    /// Use this only if the service handles caching itself: a shared cache that stores a response with an id gives it
    /// to all visitors. The layer adds `Cache-Control` to responses without one in any case.
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

    /// Puts the visit into the extensions of each request too, as [`Visits`](sessile_core::Visits), for handlers that
    /// run in another task than the layer: in a thread pool, behind a buffer that works in `call`, or in a spawned
    /// task.
    ///
    /// The extractors for axum find the session there; other handlers take it from the request. This is off by default,
    /// as it costs some allocations per request. Layers further in that clone the extensions clone the visit too.
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
    ///     let task = tokio::spawn(async move {
    ///         let visits = request.extensions().get::<Visits>();
    ///         let session: Session = visits.and_then(Visits::session).ok_or(SessionError::NotInitialised)?;
    ///         session.start().await?;
    ///         session.set("user", "ada")
    ///     });
    ///     task.await.expect("the task does not panic")?;
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

impl<N, V> fmt::Debug for SessionLayer<N, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer")
            .field("session", &self.shared.session)
            .field("config", &self.shared.config)
            .finish()
    }
}
