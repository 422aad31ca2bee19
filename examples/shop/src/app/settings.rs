//! [`Settings`].

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sessile::{CookieCarrier, Expiration, FileStorage, HOUR, MemoryStorage, SECOND, Session, Storage, StorageError};

use crate::shop::ShopSession;

/// What can be set from outside.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where sessions are kept.
    pub storage: StorageChoice,
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
            cookie: CookieChoice::Plain,
            idle: 1_200 * SECOND,
            lock_wait: 10 * SECOND,
            lock_lease: 30 * SECOND,
            cart_ttl: None,
        }
    }
}

impl Settings {
    /// The longest that sessions last, however busy: OWASP asks for some limit (ASVS 5.0, 7.3.2).
    const AT_MOST: Duration = Duration::from_secs(12 * HOUR.as_secs());

    pub(super) fn session(&self) -> Result<ShopSession, StorageError> {
        let at_most = self.idle.max(Self::AT_MOST);
        let session = Session::builder(self.storage()?)
            .default_expiration(Expiration::sliding(self.idle).at_most(at_most))
            .lock_wait(self.lock_wait)
            .build();
        Ok(session)
    }

    fn storage(&self) -> Result<Arc<dyn Storage>, StorageError> {
        Ok(match &self.storage {
            StorageChoice::Memory => Arc::new(MemoryStorage::builder().lease(self.lock_lease).build()),
            StorageChoice::File(folder) => Arc::new(FileStorage::builder(folder).lease(self.lock_lease).open()?),
        })
    }

    pub(super) fn carrier(&self) -> CookieCarrier {
        match self.cookie {
            CookieChoice::Plain => CookieCarrier::insecure(),
            CookieChoice::Host => CookieCarrier::default(),
        }
    }
}

/// Where sessions are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageChoice {
    /// In the memory of this process.
    Memory,
    /// In files in this folder.
    File(PathBuf),
}

impl FromStr for StorageChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.strip_prefix("file:")) {
            ("memory", _) => Ok(Self::Memory),
            (_, Some("")) => Err("the folder is missing, as in file:sessions".to_owned()),
            (_, Some(folder)) => Ok(Self::File(folder.into())),
            _ => Err("not a storage that this shop can use, which are: memory, file:DIR".to_owned()),
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
