//! [`HeaderCarrier`].

use http::{HeaderMap, HeaderName};
use sessile_core::{Outcome, SessionId};

use super::{Candidates, Carrier, Extracted, write_header};
use crate::request::RequestHead;

/// Carries ids in a header of requests and responses: by default `x-session-id`.
///
/// The response holds a new id under the same name, and an empty value when the session has ended. Clients of other
/// origins see the header only if `Access-Control-Expose-Headers` names it.
///
/// Scripts can read the header, unlike an `HttpOnly` cookie, so a script injected into a page can steal the session.
/// Use this carrier for clients other than browsers.
#[derive(Debug, Clone)]
pub struct HeaderCarrier {
    name: HeaderName,
}

impl HeaderCarrier {
    /// Creates a carrier that uses this header.
    ///
    /// ```
    /// use http::HeaderName;
    /// use sessile_tower::HeaderCarrier;
    ///
    /// let carrier = HeaderCarrier::new(HeaderName::from_static("x-auth-token"));
    /// ```
    #[must_use]
    pub fn new(name: HeaderName) -> Self {
        Self { name }
    }
}

impl Default for HeaderCarrier {
    fn default() -> Self {
        Self::new(super::DEFAULT_HEADER)
    }
}

impl Carrier for HeaderCarrier {
    fn read(&self, request: &RequestHead<'_>, candidates: &mut Candidates) {
        let values = request.headers.get_all(&self.name).iter();
        let ids = values.filter_map(|value| SessionId::parse_bytes(value.as_bytes()));
        ids.for_each(|id| candidates.add(id));
    }

    fn write(&self, outcome: &Outcome, extracted: &Extracted<'_>, headers: &mut HeaderMap) {
        write_header(&self.name, outcome, extracted, headers);
    }

    fn varies_on(&self) -> Option<HeaderName> {
        Some(self.name.clone())
    }

    fn reserved_names(&self) -> Vec<String> {
        vec![format!("header {}", self.name)]
    }
}
