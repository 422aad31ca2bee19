//! [`BearerCarrier`].

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use sessile_core::{Outcome, SessionId};

use super::{Candidates, Carrier, Extracted, write_header};
use crate::request::RequestHead;

/// Carries ids as bearer tokens: `Authorization: Bearer ID` (RFC 6750).
///
/// HTTP has no response header for a new token, so the carrier writes new ids into one of its own, by default
/// `x-session-id`, and an empty value when the session has ended. Clients of other origins see it only if
/// `Access-Control-Expose-Headers` names it.
///
/// ```
/// use http::{Request, header::AUTHORIZATION};
/// use sessile_tower::{BearerCarrier, Candidates, Carrier, RequestHead};
///
/// let request = Request::get("/").header(AUTHORIZATION, "Bearer 0123456789abcdef").body(()).unwrap();
/// let mut candidates = Candidates::new();
/// BearerCarrier::new().read(&RequestHead::of(&request), &mut candidates);
/// assert_eq!(candidates.ids().count(), 1);
/// ```
#[derive(Debug, Clone)]
pub struct BearerCarrier {
    response_header: HeaderName,
}

impl BearerCarrier {
    /// Creates a carrier that writes new ids into `x-session-id`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            response_header: super::DEFAULT_HEADER,
        }
    }

    /// Sets the response header for new ids.
    #[must_use]
    pub fn response_header(self, name: HeaderName) -> Self {
        Self { response_header: name }
    }
}

impl Default for BearerCarrier {
    fn default() -> Self {
        Self::new()
    }
}

impl Carrier for BearerCarrier {
    fn read(&self, request: &RequestHead<'_>, candidates: &mut Candidates) {
        let values = request.headers.get_all(AUTHORIZATION).iter();
        let ids = values.filter_map(|value| parse_token(value.to_str().ok()?));
        ids.for_each(|id| candidates.add(id));
    }

    fn write(&self, outcome: &Outcome, extracted: &Extracted<'_>, headers: &mut HeaderMap) {
        write_header(&self.response_header, outcome, extracted, headers);
    }

    fn varies_on(&self) -> Option<HeaderName> {
        Some(AUTHORIZATION)
    }

    fn reserved_names(&self) -> Vec<String> {
        vec![
            format!("header {AUTHORIZATION}"),
            format!("header {}", self.response_header),
        ]
    }
}

/// Parses the id in the value of `Authorization`, whose scheme is case-insensitive (RFC 9110, section 11.1).
fn parse_token(value: &str) -> Option<SessionId> {
    let (scheme, token) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    SessionId::parse(token.trim_matches(' '))
}
