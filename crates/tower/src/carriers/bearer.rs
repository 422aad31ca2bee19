//! [`BearerCarrier`].

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use sessile_core::{Outcome, SessionId};

use super::{Carrier, Presented, write_plain};

/// Ids as bearer tokens: `Authorization: Bearer ID` (RFC 6750).
///
/// Answers have no header for a new token, so it is put into one of this carrier's own, by default `x-session-id`; when
/// the session has ended, that header is there and empty. Clients from other origins see it only if
/// `Access-Control-Expose-Headers` names it.
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
/// use sessile_tower::{BearerCarrier, Carrier};
///
/// let mut headers = HeaderMap::new();
/// headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer 0123456789abcdef"));
/// assert!(BearerCarrier::new().read(&headers).is_some());
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
    fn read(&self, headers: &HeaderMap) -> Option<Presented> {
        let values = headers.get_all(AUTHORIZATION).iter();
        let id = values.filter_map(|value| token(value.to_str().ok()?)).next()?;
        Some(Presented::new(id))
    }

    fn write(&self, outcome: &Outcome, presented: Option<&Presented>, headers: &mut HeaderMap) {
        write_plain(&self.answer, outcome, presented, headers);
    }

    fn varies_on(&self) -> HeaderName {
        AUTHORIZATION
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
