//! [`HeaderCarrier`].

use http::{HeaderMap, HeaderName};
use sessile_core::{Outcome, SessionId};

use super::{Carrier, Found, Presented, write_plain};
use crate::request::RequestHead;

/// Ids in a header of requests and answers: by default `x-session-id`.
///
/// A new id is put into the answer under the same name; when the session has ended, the header is there and empty.
/// Clients from other origins see it only if `Access-Control-Expose-Headers` names it.
///
/// Unlike a cookie, the header is within reach of scripts, so a page with a script injected into it loses its session.
/// It is meant for clients that are not browsers.
#[derive(Debug, Clone)]
pub struct HeaderCarrier {
    name: HeaderName,
}

impl HeaderCarrier {
    /// A carrier that uses this header.
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
    fn read(&self, request: &RequestHead<'_>, found: &mut Found) {
        let values = request.headers.get_all(&self.name).iter();
        let ids = values.filter_map(|value| SessionId::parse_bytes(value.as_bytes()));
        ids.for_each(|id| found.add(id));
    }

    fn write(&self, outcome: &Outcome, presented: &Presented<'_>, headers: &mut HeaderMap) {
        write_plain(&self.name, outcome, presented, headers);
    }

    fn varies_on(&self) -> HeaderName {
        self.name.clone()
    }

    fn takes(&self) -> Vec<String> {
        vec![format!("header {}", self.name)]
    }
}
