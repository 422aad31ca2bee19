//! How ids travel.

mod bearer;
mod candidates;
mod header;

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use sessile_core::{IdChange, Outcome};

pub use self::bearer::BearerCarrier;
pub use self::candidates::{Found, Presented};
pub use self::header::HeaderCarrier;
use crate::request::RequestHead;

/// The header in which ids that are no cookies are given out.
const DEFAULT_HEADER: HeaderName = HeaderName::from_static("x-session-id");

/// A way for the id of a session to travel: out of requests and into answers.
///
/// A carrier must take nothing for an id that [`SessionId::parse`](sessile_core::SessionId::parse) refuses, must not
/// panic whatever a request holds, and should mark headers that hold an id as
/// [sensitive](http::HeaderValue::set_sensitive).
///
/// ```
/// use http::{HeaderMap, HeaderName, Request};
/// use sessile_core::{Outcome, SessionId};
/// use sessile_tower::{Carrier, Found, Presented, RequestHead};
///
/// /// Ids in the metadata of a protocol of one's own, which are never given out.
/// #[derive(Debug)]
/// struct Ticket;
///
/// impl Carrier for Ticket {
///     fn read(&self, request: &RequestHead<'_>, found: &mut Found) {
///         let tickets = request.headers.get_all("x-ticket").iter();
///         let ids = tickets.filter_map(|ticket| SessionId::parse_bytes(ticket.as_bytes()));
///         ids.for_each(|id| found.add(id));
///     }
///
///     fn write(&self, _: &Outcome, _: &Presented<'_>, _: &mut HeaderMap) {}
///
///     fn varies_on(&self) -> HeaderName {
///         HeaderName::from_static("x-ticket")
///     }
/// }
///
/// let request = Request::get("/").header("x-ticket", "0123456789abcdef").body(()).unwrap();
/// let mut found = Found::new();
/// Ticket.read(&RequestHead::of(&request), &mut found);
/// assert_eq!(found.ids().count(), 1);
/// ```
pub trait Carrier: fmt::Debug + Send + Sync + 'static {
    /// Finds the ids in a request, in the order they are to be tried. Whatever is no id counts as none.
    fn read(&self, request: &RequestHead<'_>, found: &mut Found);

    /// Writes what the client has to know into the headers of the answer, if there is anything.
    ///
    /// `presented` is what [`read`](Carrier::read) found in the request.
    fn write(&self, outcome: &Outcome, presented: &Presented<'_>, headers: &mut HeaderMap);

    /// The header of the request that decides what [`read`](Carrier::read) finds. A layer asks for it once, when it is
    /// given the carrier.
    fn varies_on(&self) -> HeaderName;

    /// What this carrier takes for itself, such as the names of its cookies: two sessions in one request that take the
    /// same would overwrite each other's ids, so their requests are refused. By default nothing.
    fn takes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Puts an id into a header of the answer if the client does not carry it yet, and nothing in its place if it ended.
fn write_plain(name: &HeaderName, outcome: &Outcome, presented: &Presented<'_>, headers: &mut HeaderMap) {
    match &outcome.id {
        IdChange::Set { id, .. } if presented.id != Some(id) => {
            let mut value = HeaderValue::from_str(id.expose()).expect("the characters of an id are visible ASCII");
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        IdChange::Remove if presented.id.is_some() => {
            headers.insert(name, HeaderValue::from_static(""));
        }
        _ => {}
    }
}
