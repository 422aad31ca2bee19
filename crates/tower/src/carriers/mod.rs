//! Carriers: how session ids travel in requests and responses.

mod bearer;
mod candidates;
mod header;
mod list;
mod url;

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use sessile_core::{IdChange, Outcome};

pub use self::bearer::BearerCarrier;
pub use self::candidates::{Candidates, Extracted};
pub use self::header::HeaderCarrier;
pub(crate) use self::list::CarrierList;
pub use self::url::{DocumentCarriers, IdPath, IdPathError, PathCarrier, RefererCarrier, XRefererCarrier};
use crate::request::RequestHead;

/// The response header for ids that do not travel in cookies.
const DEFAULT_HEADER: HeaderName = HeaderName::from_static("x-session-id");

/// Reads session ids from requests and writes them into responses.
///
/// A carrier must extract no id that [`SessionId::parse`](sessile_core::SessionId::parse) rejects, must not panic on
/// any request, and should mark headers that hold an id as [sensitive](http::HeaderValue::set_sensitive).
///
/// ```
/// use http::{HeaderMap, HeaderName, Request};
/// use sessile_core::{Outcome, SessionId};
/// use sessile_tower::{Candidates, Carrier, Extracted, RequestHead};
///
/// /// Reads ids from the metadata of another protocol, and never writes any.
/// #[derive(Debug)]
/// struct Ticket;
///
/// impl Carrier for Ticket {
///     fn read(&self, request: &RequestHead<'_>, candidates: &mut Candidates) {
///         let tickets = request.headers.get_all("x-ticket").iter();
///         let ids = tickets.filter_map(|ticket| SessionId::parse_bytes(ticket.as_bytes()));
///         ids.for_each(|id| candidates.add(id));
///     }
///
///     fn write(&self, _: &Outcome, _: &Extracted<'_>, _: &mut HeaderMap) {}
///
///     fn varies_on(&self) -> Option<HeaderName> {
///         Some(HeaderName::from_static("x-ticket"))
///     }
/// }
///
/// let request = Request::get("/").header("x-ticket", "0123456789abcdef").body(()).unwrap();
/// let mut candidates = Candidates::new();
/// Ticket.read(&RequestHead::of(&request), &mut candidates);
/// assert_eq!(candidates.ids().count(), 1);
/// ```
pub trait Carrier: fmt::Debug + Send + Sync + 'static {
    /// Adds the ids in a request to `candidates`, in the order they are to be tried. Ignores anything else.
    fn read(&self, request: &RequestHead<'_>, candidates: &mut Candidates);

    /// Writes the outcome of the visit into the headers of the response, if the client must learn of it.
    ///
    /// `extracted` is what [`read`](Carrier::read) extracted from the request.
    fn write(&self, outcome: &Outcome, extracted: &Extracted<'_>, headers: &mut HeaderMap);

    /// Returns the request header that decides what [`read`](Carrier::read) extracts, or `None` if the target of the
    /// request does, by which caches keep responses. A layer calls this once, when it is given the carrier.
    fn varies_on(&self) -> Option<HeaderName>;

    /// Returns the names that this carrier writes, such as those of its cookies. Two sessions whose carriers reserve
    /// the same name would overwrite each other's ids, so a request that passes both is rejected. By default none.
    fn reserved_names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Writes a new id into a response header, unless the client sent that id, or an empty value if the session ended.
fn write_header(name: &HeaderName, outcome: &Outcome, extracted: &Extracted<'_>, headers: &mut HeaderMap) {
    match &outcome.id {
        IdChange::Set { id, .. } if extracted.id != Some(id) => {
            let mut value = HeaderValue::from_str(id.expose()).expect("the characters of an id are visible ASCII");
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        IdChange::Remove if extracted.id.is_some() => {
            headers.insert(name, HeaderValue::from_static(""));
        }
        _ => {}
    }
}
