//! [`DocumentCarriers`].

use std::sync::Arc;

use http::{HeaderMap, HeaderName, Uri};
use sessile_core::{IdChange, Outcome};

use super::{IdPath, NewIds, PathCarrier, RefererCarrier, XRefererCarrier};
use crate::carriers::{Candidates, Carrier, CarrierList, Extracted};
use crate::request::RequestHead;

/// The carriers of live documents: the id is in the path of the request, or else in `X-Referer`, or else in a cookie, or
/// else in `Referer`.
///
/// Each is decisive: the first well-formed ids that a request has are those that count, and if they name no session,
/// the request has none. Of several cookies all are tried.
///
/// Sessions begin in [`Location`](PathCarrier), or in [cookie mode](DocumentCarriers::cookie_mode) in the cookie. A
/// session that the cookie names keeps its cookie in either case.
///
/// ```
/// use sessile_core::Session;
/// use sessile_memory::MemoryStorage;
/// use sessile_tower::{CookieCarrier, DocumentCarriers, IdPath, SessionLayer};
///
/// let session: Session = Session::builder(MemoryStorage::new()).build();
/// let carriers = DocumentCarriers::new(IdPath::new("/__default/{id}")?, CookieCarrier::default());
/// let layer = SessionLayer::new(session).document_carriers(carriers);
/// # Ok::<_, sessile_tower::IdPathError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct DocumentCarriers {
    path: PathCarrier,
    x_referer: XRefererCarrier,
    referer: RefererCarrier,
    cookie: Arc<dyn Carrier>,
    new_ids: NewIds,
}

impl DocumentCarriers {
    /// Creates the carriers, with ids at this place in paths, which [`PathCarrier::new`] says more of, and in this cookie,
    /// which is a
    /// [`CookieCarrier`](crate::CookieCarrier) or one of the application's own.
    pub fn new(path: IdPath, cookie: impl Carrier) -> Self {
        Self {
            new_ids: NewIds::in_location(path.clone()),
            x_referer: XRefererCarrier::new(path.clone()),
            referer: RefererCarrier::new(path.clone()),
            path: PathCarrier::new(path),
            cookie: Arc::new(cookie),
        }
    }

    /// Lets sessions begin in the cookie: no response has a `Location` of the layer, and URLs of clients have no id.
    pub fn cookie_mode(mut self) -> Self {
        self.new_ids = NewIds::Other(Arc::clone(&self.cookie));
        self
    }

    /// Tells new ids in `X-Location` too, see [`PathCarrier::x_location`]. Without effect in cookie mode.
    pub fn x_location(mut self) -> Self {
        self.new_ids.also_in_x_location();
        self
    }

    /// Reads the target of the request from an extension of this type, see [`PathCarrier::original_uri`].
    pub fn original_uri<T>(mut self, uri: impl Fn(&T) -> &Uri + Send + Sync + 'static) -> Self
    where
        T: Send + Sync + 'static,
    {
        self.path = self.path.original_uri(uri);
        self
    }

    /// Trusts this header to hold the host to which the client has sent its request, see
    /// [`RefererCarrier::proxy_header`].
    pub fn proxy_header(mut self, name: HeaderName) -> Self {
        self.x_referer = self.x_referer.proxy_header(name.clone());
        self.referer = self.referer.proxy_header(name);
        self
    }

    /// Returns the carriers in their order.
    pub(crate) fn into_list(self) -> CarrierList {
        let new_ids = self.new_ids;
        let cookie = DecisiveCookie {
            cookie: self.cookie,
            new_ids: new_ids.clone(),
        };
        let mut carriers = CarrierList::new(self.path.writing(new_ids.clone()));
        carriers.push(self.x_referer.writing(new_ids.clone()));
        carriers.push(cookie);
        carriers.push(self.referer.writing(new_ids));
        carriers
    }
}

/// The cookie among the carriers of documents.
#[derive(Debug)]
struct DecisiveCookie {
    cookie: Arc<dyn Carrier>,
    new_ids: NewIds,
}

impl Carrier for DecisiveCookie {
    fn read(&self, request: &RequestHead<'_>, candidates: &mut Candidates) {
        self.cookie.read(request, candidates);
        if candidates.has_id() {
            candidates.decide();
        }
    }

    fn write(&self, outcome: &Outcome, extracted: &Extracted<'_>, headers: &mut HeaderMap) {
        // If the cookie names no session, one begins as if there were no cookie.
        let begins = outcome.candidate.is_none() && matches!(outcome.id, IdChange::Set { .. });
        match &self.new_ids {
            NewIds::Location { .. } if begins => self.new_ids.write(outcome, extracted, headers),
            _ => self.cookie.write(outcome, extracted, headers),
        }
    }

    fn varies_on(&self) -> Option<HeaderName> {
        self.cookie.varies_on()
    }

    fn reserved_names(&self) -> Vec<String> {
        self.cookie.reserved_names()
    }
}
