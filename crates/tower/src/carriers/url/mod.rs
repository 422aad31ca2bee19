//! Carriers of ids in URLs: that of the request, or of the page that caused it.

mod document;
mod id_path;
mod location;
mod path;
mod reference;
mod referer;

use http::HeaderName;
use sessile_core::SessionId;

pub use self::document::DocumentCarriers;
pub use self::id_path::{IdPath, IdPathError};
use self::location::NewIds;
pub use self::path::PathCarrier;
pub use self::referer::{RefererCarrier, XRefererCarrier};
use super::Candidates;

const X_LOCATION: HeaderName = HeaderName::from_static("x-location");
const X_REFERER: HeaderName = HeaderName::from_static("x-referer");

/// Adds the id in a URL, if there is one, and lets it decide.
fn decide_on(id: Option<SessionId>, candidates: &mut Candidates) {
    if let Some(id) = id {
        candidates.add_from_url(id);
        candidates.decide();
    }
}
