//! [`HeaderCarrier`].

use http::{HeaderMap, HeaderName};
use sessile_core::{Outcome, SessionId};

use super::{Carrier, Presented, write_plain};

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
    fn read(&self, headers: &HeaderMap) -> Option<Presented> {
        let values = headers.get_all(&self.name).iter();
        let id = values
            .filter_map(|value| SessionId::parse(value.to_str().ok()?))
            .next()?;
        Some(Presented::new(id))
    }

    fn write(&self, outcome: &Outcome, presented: Option<&Presented>, headers: &mut HeaderMap) {
        write_plain(&self.name, outcome, presented, headers);
    }

    fn varies_on(&self) -> HeaderName {
        self.name.clone()
    }
}
