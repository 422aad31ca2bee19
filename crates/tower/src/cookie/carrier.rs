//! [`CookieCarrier`].

use std::sync::Arc;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use sessile_core::{IdChange, Outcome, WindowChange};

use super::attributes::Attributes;
use super::counters::Counters;
use super::parse::cookies;
use super::protection::{Decoded, Protection};
use super::window::{ReceivedWindowCookies, WindowCookies};
use crate::carriers::{Candidates, Carrier, Extracted};
use crate::events;
use crate::headers::has;
use crate::request::RequestHead;

/// The number of cookies of the session's name that are decoded. Each may cost a signature to verify, and browsers have
/// few.
const MAX_DECODED: usize = 32;

/// Carries ids in a cookie: by default `__Host-SID`, `HttpOnly; Secure; SameSite=Lax; Path=/`.
///
/// Browsers accept a cookie with the prefix `__Host-` only from this very host over HTTPS, so neither a neighbouring
/// subdomain nor an attacker on the network can plant one. The prefix does not separate two applications on one host,
/// at different ports or paths: those need [different names](CookieCarrier::named).
///
/// A browser can have several cookies of one name, for different domains or paths. The carrier extracts all well-formed
/// (and, where ids are signed or encrypted, authentic) ids in their order; the first that names a session is used. It
/// then removes none of them, as the browser does not say which one a removal would hit.
///
/// While a session holds [transient](sessile_core::Expiration::Transient) data, two more cookies name the [browser's
/// window](sessile_core::WindowId): the transient window cookie `__Host-ST`, which the browser deletes when the window
/// closes, and the persistent window cookie `__Host-SW`, which it keeps. A request with the latter and without the
/// former proves that the window was closed.
///
/// A cookie lasts as long as its session can, at most the 400 days that browsers keep one; an idle session ends on the
/// server, and its cookie stays. The carrier sets the cookie when the session gets an id or a new lifetime, and at long
/// intervals for a session that lives on. The visit that ends the session removes it.
///
/// [`builder`](CookieCarrier::builder) changes name, domain and other attributes.
#[derive(Debug, Clone)]
pub struct CookieCarrier {
    pub(super) name: Box<str>,
    pub(super) window_cookies: Option<WindowCookies>,
    pub(super) attributes: Attributes,
    pub(super) protection: Protection,
    pub(super) counters: Arc<Counters>,
}

impl CookieCarrier {
    /// Decodes the value of a cookie of the session's name.
    #[inline]
    fn decode(&self, value: &[u8], candidates: &mut Candidates) {
        match self.protection.decode(value) {
            Decoded::Id(id) => candidates.add(id),
            Decoded::Outdated(id) => candidates.add_outdated(id),
            Decoded::Forged => self.counters.count_forged(&self.name),
            Decoded::Invalid => {}
        }
    }

    /// Sets or removes the window cookies.
    fn write_window(&self, outcome: &Outcome, extracted: &Extracted<'_>, headers: &mut HeaderMap) {
        let Some(window_cookies) = &self.window_cookies else {
            return;
        };
        // The window cookies end with the session.
        let ends = outcome.window == WindowChange::Remove || outcome.id == IdChange::Remove;
        match outcome.window {
            WindowChange::Set(window) => window_cookies.set(window, &self.attributes, headers),
            _ if ends && extracted.has_window_cookies => window_cookies.remove(&self.attributes, headers),
            _ => {}
        }
    }
}

impl Carrier for CookieCarrier {
    fn read(&self, request: &RequestHead<'_>, candidates: &mut Candidates) {
        let mut received = ReceivedWindowCookies::default();
        let mut decoded = 0;
        // HTTP/2 may spread cookies over several lines.
        for line in request.headers.get_all(COOKIE) {
            for cookie in cookies(line.as_bytes()) {
                if let Some(value) = cookie.value_of(&self.name) {
                    decoded += 1;
                    if decoded <= MAX_DECODED {
                        self.decode(value, candidates);
                    }
                } else if let Some(window_cookies) = &self.window_cookies {
                    window_cookies.collect(cookie, &mut received);
                }
            }
        }
        if received.any() {
            candidates.add_window_cookies(received.window());
        }
    }

    fn write(&self, outcome: &Outcome, extracted: &Extracted<'_>, headers: &mut HeaderMap) {
        if extracted.is_one_of_several && outcome.read {
            events::several_cookies(&self.name);
        }
        match extracted.id {
            Some(_) if outcome.read => self.counters.count_returned(),
            None if matches!(outcome.id, IdChange::Set { .. }) => self.counters.count_issued(&self.name),
            _ => {}
        }
        match &outcome.id {
            IdChange::Set { id, max_age } => {
                let value = self.protection.encode(id);
                if sets(headers, &self.name) {
                    events::name_collision(&self.name);
                }
                headers.append(SET_COOKIE, self.attributes.secret(&self.name, &value, *max_age));
            }
            IdChange::Remove if extracted.id.is_some() && !extracted.is_one_of_several => {
                headers.append(SET_COOKIE, self.attributes.removal(&self.name));
            }
            _ => {}
        }
        self.write_window(outcome, extracted, headers);
    }

    fn varies_on(&self) -> Option<HeaderName> {
        Some(COOKIE)
    }

    fn reserved_names(&self) -> Vec<String> {
        let window_cookies = self.window_cookies.iter();
        let window_cookies = window_cookies.flat_map(|names| [&names.transient, &names.persistent]);
        let names = std::iter::once(&self.name).chain(window_cookies);
        names.map(|name| format!("cookie {name}")).collect()
    }
}

/// Returns whether the response already sets a cookie of this name.
fn sets(headers: &HeaderMap, name: &str) -> bool {
    let is_for = |set: &HeaderValue| {
        let rest = set.as_bytes().strip_prefix(name.as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b"="))
    };
    has(headers, SET_COOKIE) && headers.get_all(SET_COOKIE).iter().any(is_for)
}
