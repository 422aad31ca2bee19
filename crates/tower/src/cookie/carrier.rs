//! [`CookieCarrier`].

use std::sync::Arc;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use sessile_core::{IdChange, Outcome, WindowChange};

use super::{Attributes, CookieBuilder, Opened, Pair, Protection, Seen, Tally, cookies};
use crate::carriers::{Carrier, Found, Presented};
use crate::events;
use crate::headers::has;
use crate::request::RequestHead;

/// How many cookies of the session's name are looked into. Each costs a signature to verify, and browsers have few.
const MAX_OPENED: usize = 32;

/// Ids in a cookie: by default `__Host-SID`, `HttpOnly; Secure; SameSite=Lax; Path=/`.
///
/// The name's prefix makes browsers refuse the cookie from anybody but this very host over HTTPS, so that neither a
/// neighbouring subdomain nor somebody on the wire can plant one. It does not keep apart two applications of one host,
/// at other ports or paths: those need [names of their own](CookieCarrier::named).
///
/// A browser can have several cookies of one name, for other domains or paths. All well-formed (and, where ids are signed
/// or encrypted, genuine) ids are tried in the order they come; the first that names a session is taken. As nobody knows
/// which of them a removal would hit, none is removed then.
///
/// While a session holds [transient](sessile_core::Expiration::Transient) data two more cookies stand beside the first,
/// which name the [browser's window](sessile_core::WindowId): `__Host-ST`, which the browser forgets when the window
/// closes, and `__Host-SW`, which it keeps. That a request has the latter and not the former proves that the window was
/// closed.
///
/// A cookie lasts as long as its session can, at most for the 400 days that browsers keep one; a session that ends when
/// nobody visits it for a while ends on the server, and its cookie stays. It is set when the session gets an id or
/// another lifetime, and now and then for a session that lives on. It is removed by the visit that ends the session.
///
/// [`builder`](CookieCarrier::builder) changes name, domain and the rest.
#[derive(Debug, Clone)]
pub struct CookieCarrier {
    pub(crate) name: Box<str>,
    pub(crate) pair: Option<Pair>,
    pub(crate) attributes: Attributes,
    pub(crate) protection: Protection,
    pub(crate) tally: Arc<Tally>,
}

impl CookieCarrier {
    /// Sets up a carrier; what is not said is as it is by default.
    pub fn builder() -> CookieBuilder {
        CookieBuilder::default()
    }

    /// Sets up a carrier whose cookies are named after an application: with `shop` they are `__Host-shop-SID`,
    /// `__Host-shop-ST` and `__Host-shop-SW`.
    ///
    /// Browsers tell cookies by their names and hosts, but not by ports. Two applications on one host whose cookies have
    /// one name overwrite each other's: who logs in to the one is logged out of the other.
    ///
    /// ```
    /// use sessile_core::Session;
    /// use sessile_memory::MemoryStorage;
    /// use sessile_tower::{CookieCarrier, CookieError, SessionLayer};
    ///
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let layer = SessionLayer::new(session).carrier(CookieCarrier::named("shop").build()?);
    /// # Ok::<_, CookieError>(())
    /// ```
    pub fn named(application: impl Into<String>) -> CookieBuilder {
        Self::builder().application(application)
    }

    /// A carrier for servers on one's own machine, without HTTPS: the cookies are `SID`, `ST` and `SW`, and lack
    /// `Secure`.
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
        let builder = Self::builder().insecure();
        builder.build().expect("browsers accept these attributes")
    }

    /// The id in a cookie of the session's name.
    #[inline]
    fn open(&self, value: &[u8], found: &mut Found) {
        match self.protection.open(value) {
            Opened::Id(id) => found.add(id),
            Opened::Outdated(id) => found.add_outdated(id),
            Opened::Forged => self.tally.refused(&self.name),
            Opened::Nothing => {}
        }
    }

    /// What becomes of the cookies about the window.
    fn write_pair(&self, outcome: &Outcome, presented: &Presented<'_>, headers: &mut HeaderMap) {
        let Some(pair) = &self.pair else { return };
        // They end with the session, too.
        let ends = outcome.window == WindowChange::Remove || outcome.id == IdChange::Remove;
        match outcome.window {
            WindowChange::Set(window) => pair.set(window, &self.attributes, headers),
            _ if ends && presented.has_pair => pair.remove(&self.attributes, headers),
            _ => {}
        }
    }
}

impl Default for CookieCarrier {
    fn default() -> Self {
        Self::builder().build().expect("browsers accept these attributes")
    }
}

impl Carrier for CookieCarrier {
    fn read(&self, request: &RequestHead<'_>, found: &mut Found) {
        let mut seen = Seen::default();
        let mut opened = 0;
        // HTTP/2 may spread cookies over several lines.
        for line in request.headers.get_all(COOKIE) {
            for cookie in cookies(line.as_bytes()) {
                if let Some(value) = cookie.value_of(&self.name) {
                    opened += 1;
                    if opened <= MAX_OPENED {
                        self.open(value, found);
                    }
                } else if let Some(pair) = &self.pair {
                    pair.look(cookie, &mut seen);
                }
            }
        }
        if seen.any() {
            found.show_pair(seen.window());
        }
    }

    fn write(&self, outcome: &Outcome, presented: &Presented<'_>, headers: &mut HeaderMap) {
        if presented.is_one_of_several && outcome.read {
            events::several(&self.name);
        }
        match presented.id {
            Some(_) if outcome.read => self.tally.came_back(),
            None if matches!(outcome.id, IdChange::Set { .. }) => self.tally.given_out(&self.name),
            _ => {}
        }
        match &outcome.id {
            IdChange::Set { id, max_age } => {
                let value = self.protection.seal(id);
                if sets(headers, &self.name) {
                    events::clash(&self.name);
                }
                headers.append(SET_COOKIE, self.attributes.cookie(&self.name, &value, *max_age));
            }
            IdChange::Remove if presented.id.is_some() && !presented.is_one_of_several => {
                headers.append(SET_COOKIE, self.attributes.removal(&self.name));
            }
            _ => {}
        }
        self.write_pair(outcome, presented, headers);
    }

    fn varies_on(&self) -> HeaderName {
        COOKIE
    }

    fn takes(&self) -> Vec<String> {
        let pair = self.pair.iter().flat_map(|pair| [&pair.companion, &pair.marker]);
        let names = std::iter::once(&self.name).chain(pair);
        names.map(|name| format!("cookie {name}")).collect()
    }
}

/// Whether the answer sets a cookie of this name already.
fn sets(headers: &HeaderMap, name: &str) -> bool {
    let is_for = |set: &HeaderValue| {
        let rest = set.as_bytes().strip_prefix(name.as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b"="))
    };
    has(headers, SET_COOKIE) && headers.get_all(SET_COOKIE).iter().any(is_for)
}
