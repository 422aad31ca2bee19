//! [`CookieCarrier`].

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName};
use sessile_core::{IdChange, Outcome, WindowChange};

use super::{Carrier, Presented};
use crate::cookie::{Attributes, CookieBuilder, Protection, parse};

/// Ids in a cookie: by default `__Host-SID`, `HttpOnly; Secure; SameSite=Lax; Path=/`.
///
/// The name's prefix makes browsers refuse the cookie from anybody but this very host over HTTPS, so that neither a
/// neighbouring subdomain nor somebody on the wire can plant one. Without the prefix they can, and a cookie they plant
/// may come first; of several cookies of its name the carrier takes the first that holds a well-formed (and, where ids
/// are signed or encrypted, genuine) id.
///
/// While a session holds [transient](sessile_core::Expiration::Transient) data a second cookie stands beside the first,
/// `__Host-ST`, which the browser forgets when its window closes. That a request has the first and not the second shows
/// that this has happened.
///
/// A cookie lasts as long as its session, at most for the 400 days that browsers keep one. It is set when its id or
/// its end changes and removed when its session is gone or was never known.
///
/// [`builder`](CookieCarrier::builder) changes name, domain and the rest.
#[derive(Debug, Clone)]
pub struct CookieCarrier {
    pub(crate) name: Box<str>,
    pub(crate) companion: Option<Box<str>>,
    pub(crate) attributes: Attributes,
    pub(crate) protection: Protection,
}

impl CookieCarrier {
    /// Sets up a carrier; what is not said is as it is by default.
    pub fn builder() -> CookieBuilder {
        CookieBuilder::default()
    }

    /// A carrier for servers on one's own machine, without HTTPS: the cookies are `SID` and `ST`, and lack `Secure`.
    ///
    /// ```
    /// use sessile_core::Session;
    /// use sessile_tower::{CookieCarrier, SessionLayer};
    /// use sessile_memory::MemoryStorage;
    ///
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let layer = SessionLayer::new(session).carrier(CookieCarrier::insecure());
    /// ```
    #[must_use]
    pub fn insecure() -> Self {
        let builder = Self::builder().name("SID").companion("ST").secure(false);
        builder.build().expect("browsers accept these attributes")
    }

    /// What becomes of the second cookie, which the client has if it was `shown`.
    fn write_companion(&self, outcome: &Outcome, shown: bool, headers: &mut HeaderMap) {
        let Some(companion) = &self.companion else { return };
        let ends = outcome.window == WindowChange::Remove || outcome.id == IdChange::Remove;
        if ends && shown {
            headers.append(SET_COOKIE, self.attributes.removal(companion));
        } else if !ends && !shown && matches!(outcome.window, WindowChange::Set(_)) {
            headers.append(SET_COOKIE, self.attributes.mark(companion));
        }
    }
}

impl Default for CookieCarrier {
    fn default() -> Self {
        Self::builder().build().expect("browsers accept these attributes")
    }
}

impl Carrier for CookieCarrier {
    fn read(&self, headers: &HeaderMap) -> Option<Presented> {
        // HTTP/2 may spread cookies over several lines.
        let lines = headers.get_all(COOKIE).iter();
        let cookies = lines.flat_map(|line| parse(line.as_bytes()));
        let (mut id, mut companion) = (None, self.companion.as_deref());
        for (name, value) in cookies {
            if id.is_none() && name == self.name.as_bytes() {
                id = self.protection.open(value);
            } else if companion.is_some_and(|companion| name == companion.as_bytes()) {
                companion = None;
            }
        }
        Some(Presented::new(id?).restarted(companion.is_some()))
    }

    fn write(&self, outcome: &Outcome, presented: Option<&Presented>, headers: &mut HeaderMap) {
        match &outcome.id {
            IdChange::Set { id, max_age } => {
                let value = self.protection.seal(id);
                headers.append(SET_COOKIE, self.attributes.cookie(&self.name, &value, *max_age));
            }
            IdChange::Remove if presented.is_some() => {
                headers.append(SET_COOKIE, self.attributes.removal(&self.name));
            }
            _ => {}
        }
        let shown = presented.is_some_and(|presented| !presented.restarted);
        self.write_companion(outcome, shown, headers);
    }

    fn varies_on(&self) -> HeaderName {
        COOKIE
    }
}
