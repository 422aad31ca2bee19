//! [`BearerCarrier`].

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use sessile_core::{Outcome, SessionId};

use super::{Carrier, Found, Presented, write_plain};
use crate::request::RequestHead;

/// Ids as bearer tokens: `Authorization: Bearer ID` (RFC 6750).
///
/// Answers have no header for a new token, so it is put into one of this carrier's own, by default `x-session-id`; when
/// the session has ended, that header is there and empty. Clients from other origins see it only if
/// `Access-Control-Expose-Headers` names it.
///
/// ```
/// use http::{Request, header::AUTHORIZATION};
/// use sessile_tower::{BearerCarrier, Carrier, Found, RequestHead};
///
/// let request = Request::get("/").header(AUTHORIZATION, "Bearer 0123456789abcdef").body(()).unwrap();
/// let mut found = Found::new();
/// BearerCarrier::new().read(&RequestHead::of(&request), &mut found);
/// assert_eq!(found.ids().count(), 1);
/// ```
#[derive(Debug, Clone)]
pub struct BearerCarrier {
    answer: HeaderName,
}

impl BearerCarrier {
    /// A carrier that reads bearer tokens.
    #[must_use]
    pub fn new() -> Self {
        Self {
            answer: super::DEFAULT_HEADER,
        }
    }

    /// New ids are put into this header of the answer.
    #[must_use]
    pub fn answer_in(self, name: HeaderName) -> Self {
        Self { answer: name }
    }
}

impl Default for BearerCarrier {
    fn default() -> Self {
        Self::new()
    }
}

impl Carrier for BearerCarrier {
    fn read(&self, request: &RequestHead<'_>, found: &mut Found) {
        let values = request.headers.get_all(AUTHORIZATION).iter();
        let ids = values.filter_map(|value| token(value.to_str().ok()?));
        ids.for_each(|id| found.add(id));
    }

    fn write(&self, outcome: &Outcome, presented: &Presented<'_>, headers: &mut HeaderMap) {
        write_plain(&self.answer, outcome, presented, headers);
    }

    fn varies_on(&self) -> HeaderName {
        AUTHORIZATION
    }

    fn takes(&self) -> Vec<String> {
        vec![format!("header {AUTHORIZATION}"), format!("header {}", self.answer)]
    }
}

/// The id in the credentials, whose scheme is written in any case (RFC 9110, section 11.1).
fn token(credentials: &str) -> Option<SessionId> {
    let (scheme, token) = credentials.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    SessionId::parse(token.trim_matches(' '))
}
