//! [`Settings`].

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sessile::{CookieCarrier, DEFAULT_LEASE, Expiration, HOUR, SECOND, Session, Storage};

use super::StorageChoice;
use crate::shop::{Lifetimes, ShopSession};

/// What can be set from outside.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where sessions are kept.
    pub storage: StorageChoice,
    /// How long a call to Redis may take.
    pub storage_timeout: Duration,
    /// How ids travel.
    pub cookie: CookieChoice,
    /// After how long without a visit a session ends.
    pub idle: Duration,
    /// How long a request waits for another that is writing to the same session.
    pub lock_wait: Duration,
    /// For how long a request that hangs can keep others from writing.
    pub lock_lease: Duration,
    /// After how long without an addition a cart is emptied; `None` for as long as its session lasts.
    pub cart_ttl: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            storage: StorageChoice::Memory,
            storage_timeout: 2 * SECOND,
            cookie: CookieChoice::Plain,
            idle: 1_200 * SECOND,
            lock_wait: 10 * SECOND,
            lock_lease: DEFAULT_LEASE,
            cart_ttl: None,
        }
    }
}

impl Settings {
    /// The longest that sessions last, however busy: OWASP asks for some limit (ASVS 5.0, 7.3.2).
    const AT_MOST: Duration = Duration::from_secs(12 * HOUR.as_secs());

    pub(super) fn session(&self, storage: Arc<dyn Storage>) -> ShopSession {
        let Lifetimes { idle, at_most } = self.lifetimes();
        Session::builder(storage)
            .default_expiration(Expiration::sliding(idle).at_most(at_most))
            .lock_wait(self.lock_wait)
            .build()
    }

    pub(super) fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            idle: self.idle,
            at_most: self.idle.max(Self::AT_MOST),
        }
    }

    pub(super) fn carrier(&self) -> CookieCarrier {
        match self.cookie {
            CookieChoice::Plain => CookieCarrier::insecure(),
            CookieChoice::Host => CookieCarrier::default(),
        }
    }
}

/// How ids travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieChoice {
    /// In the cookie `SID`, over HTTP as well.
    Plain,
    /// In the cookie `__Host-SID`, which browsers send over HTTPS only.
    Host,
}

impl FromStr for CookieChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "plain" => Ok(Self::Plain),
            "host" => Ok(Self::Host),
            _ => Err("not a kind of cookie, which are: plain, host".to_owned()),
        }
    }
}
