//! [`Settings`].

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::HeaderName;
use sessile::population::Limit;
use sessile::storage::{DEFAULT_LEASE, Storage};
use sessile::tower::ClientReader;
use sessile::{CookieCarrier, Expiration, HOUR, SECOND, Session};

use super::StorageChoice;
use crate::shop::{Lifetimes, ShopSession};

/// The settings of the shop.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The storage of the sessions.
    pub storage: StorageChoice,
    /// The time limit of a call to Redis.
    pub storage_timeout: Duration,
    /// The cookie that carries ids.
    pub cookie: CookieChoice,
    /// The idle time after which a session ends.
    pub idle: Duration,
    /// The longest time that a request waits for another that writes to the same session.
    pub lock_wait: Duration,
    /// The longest time that a hanging request can block other writers.
    pub lock_lease: Duration,
    /// The time after the last addition at which a cart is emptied; `None` for the end of its session.
    pub cart_ttl: Option<Duration>,
    /// The limit of sessions of one user.
    pub limit: Option<Limit>,
    /// The header in which a proxy tells the address of the client. Without a proxy, clients could make it up.
    pub proxy_header: Option<HeaderName>,
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
            limit: None,
            proxy_header: None,
        }
    }
}

impl Settings {
    /// The absolute lifetime of sessions, which OWASP requires (ASVS 5.0, 7.3.2).
    const AT_MOST: Duration = Duration::from_secs(12 * HOUR.as_secs());

    pub(super) fn session(&self, storage: Arc<dyn Storage>) -> ShopSession {
        let Lifetimes { idle, at_most } = self.lifetimes();
        Session::builder(storage)
            .default_expiration(Expiration::sliding(idle).at_most(at_most))
            .lock_wait(self.lock_wait)
            .limit(self.limit)
            .build()
    }

    pub(super) fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            idle: self.idle,
            at_most: self.idle.max(Self::AT_MOST),
        }
    }

    /// Returns the reader of what sessions remember of their clients.
    pub(super) fn client_reader(&self) -> ClientReader {
        let reader = ClientReader::new().peer(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip());
        match &self.proxy_header {
            Some(name) => reader.proxy_header(name.clone()),
            None => reader,
        }
    }

    pub(super) fn carrier(&self) -> CookieCarrier {
        match self.cookie {
            CookieChoice::Plain => CookieCarrier::insecure(),
            CookieChoice::Host => CookieCarrier::default(),
        }
    }
}

/// The cookie that carries ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieChoice {
    /// The cookie `SID`, over HTTP as well.
    Plain,
    /// The cookie `__Host-SID`, which browsers send over HTTPS only.
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
