//! [`NewIds`]: how carriers of ids in URLs tell a client the id of its new session.

use std::sync::Arc;

use http::header::LOCATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use sessile_core::{IdChange, Outcome};

use super::{IdPath, X_LOCATION};
use crate::carriers::{Carrier, Extracted};
use crate::headers::{has, restrict_referrer};

/// The way of new ids to the client.
#[derive(Debug, Clone)]
pub(super) enum NewIds {
    /// As the path of the session, in `Location` and perhaps `X-Location`.
    Location { path: IdPath, with_x_location: bool },
    /// By another carrier, that of a cookie.
    Other(Arc<dyn Carrier>),
}

impl NewIds {
    pub(super) fn in_location(path: IdPath) -> Self {
        Self::Location {
            path,
            with_x_location: false,
        }
    }

    pub(super) fn also_in_x_location(&mut self) {
        if let Self::Location { with_x_location, .. } = self {
            *with_x_location = true;
        }
    }

    /// Writes the id, unless the request has named it.
    pub(super) fn write(&self, outcome: &Outcome, extracted: &Extracted<'_>, headers: &mut HeaderMap) {
        let IdChange::Set { id, .. } = &outcome.id else {
            return;
        };
        if extracted.id == Some(id) {
            return;
        }
        match self {
            // The other carrier has extracted nothing from this request.
            Self::Other(carrier) => carrier.write(outcome, &Extracted::default(), headers),
            Self::Location { path, with_x_location } => {
                let Some(path) = path.of(id) else {
                    return;
                };
                let mut value = HeaderValue::try_from(path).expect("the characters of a path are visible ASCII");
                value.set_sensitive(true);
                restrict_referrer(headers);
                if *with_x_location {
                    keep_or_insert(headers, X_LOCATION, value.clone());
                }
                keep_or_insert(headers, LOCATION, value);
            }
        }
    }

    /// Returns the names that the response may have.
    pub(super) fn reserved_names(&self) -> Vec<String> {
        match self {
            Self::Location { with_x_location, .. } => {
                let names = [Some(LOCATION), with_x_location.then_some(X_LOCATION)];
                names.iter().flatten().map(|name| format!("header {name}")).collect()
            }
            Self::Other(carrier) => carrier.reserved_names(),
        }
    }
}

/// Sets a header, unless the service has set it: a redirect must lead to its target.
fn keep_or_insert(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    if !has(headers, name.clone()) {
        headers.insert(name, value);
    }
}
