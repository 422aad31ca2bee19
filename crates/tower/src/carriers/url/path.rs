//! [`PathCarrier`].

use std::fmt;
use std::sync::Arc;

use http::{Extensions, HeaderMap, HeaderName, Uri};
use sessile_core::Outcome;

use super::{IdPath, NewIds, decide_on};
use crate::carriers::{Candidates, Carrier, Extracted};
use crate::request::RequestHead;

/// Returns the target of a request as the client has sent it.
type OriginalUri = dyn Fn(&Extensions) -> Option<&Uri> + Send + Sync;

/// Carries ids in the path of the URL, such as `/__default/{id}`.
///
/// A request whose path has no id, or text that has not the form of one, is left to the other carriers. A well-formed id
/// is decisive: if it names no session, the request has none, even if another carrier would find one.
///
/// The response to a request in which a session begins, or gets a new id, has the path of the session in `Location`, as
/// a relative reference; a `Location` that the service has set, such as that of a redirect, is kept. The client learns
/// nothing from the end of its session: later requests find none.
///
/// A client that knows the URL has the session. Responses to requests with such a URL, and those that tell one, have
/// `Referrer-Policy: same-origin`, unless the service has set `no-referrer`, and `Cache-Control: no-store`, unless
/// [`keep_cache_control`](crate::SessionLayer::keep_cache_control) leaves that to the service. The URL
/// still gets into logs, histories and messages; use cookies where browsers can hold them.
///
/// ```
/// use http::Request;
/// use sessile_tower::{Candidates, Carrier, IdPath, PathCarrier, RequestHead};
///
/// let carrier = PathCarrier::new(IdPath::new("/__default/{id}")?);
/// let request = Request::get("/__default/0123456789abcdef?page=2").body(()).unwrap();
/// let mut candidates = Candidates::new();
/// carrier.read(&RequestHead::of(&request), &mut candidates);
/// assert_eq!(candidates.ids().count(), 1);
/// # Ok::<_, sessile_tower::IdPathError>(())
/// ```
#[derive(Clone)]
pub struct PathCarrier {
    path: IdPath,
    original_uri: Option<Arc<OriginalUri>>,
    new_ids: NewIds,
}

impl PathCarrier {
    /// Creates a carrier of ids at this place in paths. A path in which other segments may be any is never told in
    /// `Location`, as they are not known: the application tells its clients, also when a session gets a new id.
    #[must_use]
    pub fn new(path: IdPath) -> Self {
        Self {
            new_ids: NewIds::in_location(path.clone()),
            path,
            original_uri: None,
        }
    }

    pub(super) fn writing(self, new_ids: NewIds) -> Self {
        Self { new_ids, ..self }
    }

    /// Reads the target of the request from an extension of this type, for layers inside of a router that removes the
    /// part of the path at which it is mounted. Requests without the extension are read as they are.
    ///
    /// The [`IdPath`] is that of the whole path in any case, as `Location` tells it to the client.
    ///
    /// ```
    /// use axum::extract::OriginalUri;
    /// use sessile_tower::{IdPath, PathCarrier};
    ///
    /// let path = IdPath::new("/api/__default/{id}")?;
    /// let carrier = PathCarrier::new(path).original_uri(|OriginalUri(uri): &OriginalUri| uri);
    /// # Ok::<_, sessile_tower::IdPathError>(())
    /// ```
    #[must_use]
    pub fn original_uri<T>(mut self, uri: impl Fn(&T) -> &Uri + Send + Sync + 'static) -> Self
    where
        T: Send + Sync + 'static,
    {
        fn borrowing<F: Fn(&Extensions) -> Option<&Uri>>(read: F) -> F {
            read
        }
        self.original_uri = Some(Arc::new(borrowing(move |extensions| extensions.get::<T>().map(&uri))));
        self
    }

    /// Tells new ids in `X-Location` too, for clients that cannot read `Location`.
    #[must_use]
    pub fn x_location(mut self) -> Self {
        self.new_ids.also_in_x_location();
        self
    }
}

impl Carrier for PathCarrier {
    fn read(&self, request: &RequestHead<'_>, candidates: &mut Candidates) {
        let original = self.original_uri.as_ref().and_then(|uri| uri(request.extensions));
        let uri = original.unwrap_or(request.uri);
        decide_on(self.path.find(uri.path()), candidates);
    }

    fn write(&self, outcome: &Outcome, extracted: &Extracted<'_>, headers: &mut HeaderMap) {
        self.new_ids.write(outcome, extracted, headers);
    }

    /// Returns `None`, as caches keep responses by their URLs.
    fn varies_on(&self) -> Option<HeaderName> {
        None
    }

    fn reserved_names(&self) -> Vec<String> {
        self.new_ids.reserved_names()
    }
}

impl fmt::Debug for PathCarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PathCarrier")
            .field("path", &self.path)
            .field("original_uri", &self.original_uri.as_ref().map(|_| "a function"))
            .field("new_ids", &self.new_ids)
            .finish()
    }
}
