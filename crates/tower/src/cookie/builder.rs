//! [`CookieCarrierBuilder`], and the constructors of [`CookieCarrier`].

use std::sync::Arc;

use sessile_core::WindowId;

use super::attributes::{Attributes, SameSite, has_prefix};
use super::carrier::CookieCarrier;
use super::error::CookieError;
use super::names::{IdName, WindowNames};
use super::protection::ProtectionKeys;
use super::window::WindowCookies;
#[cfg(any(feature = "signed", feature = "encrypted"))]
use crate::keyring::KeyRing;

impl CookieCarrier {
    /// Returns a builder with default settings.
    pub fn builder() -> CookieCarrierBuilder {
        CookieCarrierBuilder::default()
    }

    /// Returns a builder for cookies named after an application: `shop` makes them `__Host-shop-SID`, `__Host-shop-ST`
    /// and `__Host-shop-SW`.
    ///
    /// Browsers distinguish cookies by name and host, but not by port. Two applications on one host whose cookies have
    /// the same name overwrite each other's, so a login to one is a logout from the other.
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
    pub fn named(application: impl Into<String>) -> CookieCarrierBuilder {
        Self::builder().application(application)
    }

    /// Creates a carrier for local servers without HTTPS: the cookies are `SID`, `ST` and `SW`, and lack `Secure`.
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
}

impl Default for CookieCarrier {
    fn default() -> Self {
        Self::builder().build().expect("browsers accept these attributes")
    }
}

/// Configures and builds a [`CookieCarrier`].
///
/// ```
/// use sessile_tower::{CookieCarrier, CookieError, SameSite};
///
/// let carrier = CookieCarrier::builder()
///     .name("__Secure-id")
///     .domain("example.com")
///     .same_site(SameSite::Strict)
///     .build()?;
///
/// // Browsers refuse a cookie with the default name if it has a domain.
/// let refused = CookieCarrier::builder().domain("example.com").build();
/// assert_eq!(refused.unwrap_err(), CookieError::HostWithDomain);
///
/// // Neighbouring hosts can plant a cookie of this name, so the application must opt in.
/// let refused = CookieCarrier::builder().name("id").build();
/// assert_eq!(refused.unwrap_err(), CookieError::Unprefixed);
/// let carrier = CookieCarrier::builder().name("id").unprefixed().build()?;
/// # Ok::<_, CookieError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct CookieCarrierBuilder {
    name: IdName,
    /// `None` without window cookies.
    windows: Option<WindowNames>,
    unprefixed: bool,
    domain: Option<String>,
    single_label: bool,
    path: String,
    secure: bool,
    same_site: SameSite,
    partitioned: bool,
    protection: ProtectionKeys,
}

impl CookieCarrierBuilder {
    /// Sets the name of the cookie: by default `__Host-SID`.
    ///
    /// The name begins with `__Host-`, or with `__Secure-` if the cookie has a [domain](CookieCarrierBuilder::domain)
    /// or a [path](CookieCarrierBuilder::path), unless [`unprefixed`](CookieCarrierBuilder::unprefixed) is set. Two
    /// layers around one service need different names.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = IdName::Given(name.into());
        self
    }

    /// Names the cookies after an application: `__Host-shop-SID`, `__Host-shop-ST` and `__Host-shop-SW`. Replaces an
    /// earlier [`name`](CookieCarrierBuilder::name).
    ///
    /// Applications on one host need different names, as browsers do not distinguish ports.
    pub fn application(mut self, application: impl Into<String>) -> Self {
        self.name = IdName::Application(application.into());
        self
    }

    /// Allows a name without a prefix. Pages on neighbouring hosts, and attackers who can respond for this host over
    /// plain http, can then plant a cookie that is taken for the visitor's.
    ///
    /// Use this only for a name that cannot be changed.
    pub fn unprefixed(mut self) -> Self {
        self.unprefixed = true;
        self
    }

    /// Sets the name of the transient window cookie, which the browser deletes when its window closes, and which exists
    /// while the session holds transient data: by default that of the id's cookie with `ST` in place of `SID`, such as
    /// `__Host-ST`, or with `_ST` appended.
    pub fn transient_window_cookie(mut self, name: impl Into<String>) -> Self {
        self.windows.get_or_insert_default().transient = Some(name.into());
        self
    }

    /// Sets the name of the persistent window cookie, which exists beside the [transient
    /// one](CookieCarrierBuilder::transient_window_cookie) and outlives the window: by default that of the id's cookie
    /// with `SW` in place of `SID`, such as `__Host-SW`, or with `_SW` appended.
    pub fn persistent_window_cookie(mut self, name: impl Into<String>) -> Self {
        self.windows.get_or_insert_default().persistent = Some(name.into());
        self
    }

    /// Disables both window cookies: the restart of a browser goes unnoticed, and transient data lasts as long as its
    /// session.
    pub fn without_window_cookies(mut self) -> Self {
        self.windows = None;
        self
    }

    /// Sets the domain: browsers send the cookie to this host and all hosts below it, and by default only to the host
    /// that set it. Requires a [name](CookieCarrierBuilder::name) without the prefix `__Host-`.
    ///
    /// Browsers refuse a public suffix, such as `com` or `co.uk`. The list of these changes, so the builder refuses
    /// only domains of a single label.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Allows a [domain](CookieCarrierBuilder::domain) of a single label, such as the name of an intranet host.
    pub fn single_label_domain(mut self) -> Self {
        self.single_label = true;
        self
    }

    /// Sets the path: browsers send the cookie with requests for this path and those below it, by default `/`. Requires
    /// a [name](CookieCarrierBuilder::name) without the prefix `__Host-`. The path is no protection against other
    /// applications on the same host.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Allows plain http: browsers send and accept the cookies without HTTPS, names need no prefix, and default names
    /// have none, as in `SID`. A domain can be a single label, such as `localhost`.
    ///
    /// Use this only for local servers: the network between browser and server can read the id.
    pub fn insecure(mut self) -> Self {
        self.secure = false;
        self
    }

    /// Sets which requests from other sites include the cookie: by default [`SameSite::Lax`].
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Sets whether browsers keep one cookie per site that embeds this one (CHIPS): by default they keep one for all.
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.partitioned = partitioned;
        self
    }

    /// Signs ids with these keys (HMAC-SHA256), so that a made-up id is rejected without a call to the storage.
    /// Replaces an earlier [`encrypted`](CookieCarrierBuilder::encrypted).
    ///
    /// ```
    /// use sessile_tower::{CookieCarrier, KeyRing};
    /// # let key = [1; 32];
    ///
    /// let carrier = CookieCarrier::builder().signed(KeyRing::new(key)?).build()?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "signed")]
    pub fn signed(mut self, keys: KeyRing) -> Self {
        self.protection = ProtectionKeys::Signing(keys);
        self
    }

    /// Encrypts ids with these keys (XChaCha20-Poly1305), so that the id cannot be read from a logged cookie and used
    /// with another carrier; the cookie itself is still a bearer credential. A made-up id is rejected without a call to
    /// the storage. Replaces an earlier [`signed`](CookieCarrierBuilder::signed).
    ///
    /// ```
    /// use sessile_tower::{CookieCarrier, KeyRing};
    /// # let key = [1; 32];
    ///
    /// let carrier = CookieCarrier::builder().encrypted(KeyRing::new(key)?).build()?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "encrypted")]
    pub fn encrypted(mut self, keys: KeyRing) -> Self {
        self.protection = ProtectionKeys::Encryption(keys);
        self
    }

    /// Builds the carrier.
    ///
    /// # Errors
    ///
    /// If browsers would refuse its cookies, or if the cookies are less safe than they could be without an explicit
    /// setting.
    pub fn build(self) -> Result<CookieCarrier, CookieError> {
        let attributes = Attributes::new(
            self.domain.as_deref(),
            &self.path,
            self.secure,
            self.same_site,
            self.partitioned,
        )?;
        if attributes.has_single_label && self.secure && !self.single_label {
            return Err(CookieError::SingleLabelDomain);
        }
        let name = self.name.resolve(self.secure);
        let protection = self.protection.for_cookie(&name);
        attributes.check_name(&name, protection.max_len())?;
        if self.secure && !self.unprefixed && !has_prefix(&name) {
            return Err(CookieError::Unprefixed);
        }
        let window_cookies = self.windows.map(|names| names.resolve(&name));
        if let Some(WindowCookies { transient, persistent }) = &window_cookies {
            attributes.check_name(transient, WindowId::LEN)?;
            attributes.check_name(persistent, WindowId::LEN)?;
            if **transient == *name || **persistent == *name || transient == persistent {
                return Err(CookieError::SameNames);
            }
        }
        Ok(CookieCarrier {
            name: name.into(),
            window_cookies,
            attributes,
            protection,
            counters: Arc::default(),
        })
    }
}

impl Default for CookieCarrierBuilder {
    fn default() -> Self {
        Self {
            name: IdName::Default,
            windows: Some(WindowNames::default()),
            unprefixed: false,
            domain: None,
            single_label: false,
            path: "/".to_owned(),
            secure: true,
            same_site: SameSite::Lax,
            partitioned: false,
            protection: ProtectionKeys::None,
        }
    }
}
