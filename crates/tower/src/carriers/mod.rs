//! How ids travel.

mod bearer;
mod cookie;
mod header;

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use sessile_core::{IdChange, Outcome, SessionId};

pub use self::bearer::BearerCarrier;
pub use self::cookie::CookieCarrier;
pub use self::header::HeaderCarrier;

/// The header in which ids that are no cookies are given out.
const DEFAULT_HEADER: HeaderName = HeaderName::from_static("x-session-id");

/// A way for the id of a session to travel: out of requests and into answers.
///
/// A carrier must take nothing for an id that [`SessionId::parse`] refuses, must not panic whatever a request holds,
/// and should mark headers that hold an id as [sensitive](http::HeaderValue::set_sensitive).
///
/// ```
/// use http::{HeaderMap, HeaderName, HeaderValue};
/// use sessile_core::{IdChange, Outcome, SessionId};
/// use sessile_tower::{Carrier, Presented};
///
/// /// Ids in the metadata of a protocol of one's own, which are never given out.
/// #[derive(Debug)]
/// struct Ticket;
///
/// impl Carrier for Ticket {
///     fn read(&self, headers: &HeaderMap) -> Option<Presented> {
///         let id = headers.get("x-ticket")?.to_str().ok()?;
///         SessionId::parse(id).map(Presented::new)
///     }
///
///     fn write(&self, _: &Outcome, _: Option<&Presented>, _: &mut HeaderMap) {}
///
///     fn varies_on(&self) -> HeaderName {
///         HeaderName::from_static("x-ticket")
///     }
/// }
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-ticket", HeaderValue::from_static("0123456789abcdef"));
/// assert!(Ticket.read(&headers).is_some());
/// ```
pub trait Carrier: fmt::Debug + Send + Sync + 'static {
    /// Finds the id in the headers of a request. Whatever is no id counts as none.
    fn read(&self, headers: &HeaderMap) -> Option<Presented>;

    /// Writes what the client has to know into the headers of the answer, if there is anything.
    ///
    /// `presented` is what [`read`](Carrier::read) found in the request, if this carrier found anything.
    fn write(&self, outcome: &Outcome, presented: Option<&Presented>, headers: &mut HeaderMap);

    /// The header of the request that decides what [`read`](Carrier::read) finds.
    fn varies_on(&self) -> HeaderName;
}

/// An id that came with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presented {
    /// The id. That it is well formed says nothing about whether there is such a session.
    pub id: SessionId,
    /// Whether the client shows that its browser window was closed since the last visit, with which transient data
    /// ends. See [`Visit::browser_restarted`](sessile_core::Visit::browser_restarted).
    pub restarted: bool,
}

impl Presented {
    /// An id, and no sign of a restarted browser.
    #[must_use]
    pub fn new(id: SessionId) -> Self {
        Self { id, restarted: false }
    }

    /// With a sign of whether the browser was restarted.
    #[must_use]
    pub fn restarted(mut self, restarted: bool) -> Self {
        self.restarted = restarted;
        self
    }
}

/// Puts an id into a header of the answer if the client does not carry it yet, and nothing in its place if it ended.
fn write_plain(name: &HeaderName, outcome: &Outcome, presented: Option<&Presented>, headers: &mut HeaderMap) {
    match &outcome.id {
        IdChange::Set { id, .. } if presented.is_none_or(|presented| presented.id != *id) => {
            let mut value = HeaderValue::from_str(id.expose()).expect("the characters of an id are visible ASCII");
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        IdChange::Remove if presented.is_some() => {
            headers.insert(name, HeaderValue::from_static(""));
        }
        _ => {}
    }
}
