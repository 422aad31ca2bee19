//! [`CookieBuilder`].

use super::protection::Wanted;
use super::{Attributes, CookieError, SameSite};
use crate::carriers::CookieCarrier;
#[cfg(any(feature = "signed", feature = "encrypted"))]
use crate::keyring::KeyRing;

const NAME: &str = "__Host-SID";
const COMPANION: &str = "__Host-ST";

/// Sets up a [`CookieCarrier`].
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
/// // Browsers refuse a cookie of this name, which is the default, when it has a domain.
/// let refused = CookieCarrier::builder().domain("example.com").build();
/// assert_eq!(refused.unwrap_err(), CookieError::HostWithDomain);
/// # Ok::<_, CookieError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct CookieBuilder {
    name: String,
    companion: Companion,
    domain: Option<String>,
    path: String,
    secure: bool,
    same_site: SameSite,
    partitioned: bool,
    protection: Wanted,
}

/// The second cookie.
#[derive(Debug, Clone)]
enum Companion {
    /// Named after the first.
    Derived,
    Named(String),
    None,
}

impl CookieBuilder {
    /// The name of the cookie: by default `__Host-SID`.
    ///
    /// Two layers in front of one service need different names.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The name of the second cookie, which exists while the session holds transient data: by default `__Host-ST`, or
    /// the [name](CookieBuilder::name) that was chosen for the first with `_ST` behind it.
    pub fn companion(mut self, name: impl Into<String>) -> Self {
        self.companion = Companion::Named(name.into());
        self
    }

    /// There is no second cookie: that a browser was restarted goes unnoticed, and transient data lasts as long as its
    /// session.
    pub fn without_companion(mut self) -> Self {
        self.companion = Companion::None;
        self
    }

    /// Browsers send the cookie to this domain and to all hosts below it: by default only to the very host that set
    /// it. Needs a [name](CookieBuilder::name) without the prefix `__Host-`.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Browsers send the cookie with requests for this path and those below it: by default `/`. Needs a
    /// [name](CookieBuilder::name) without the prefix `__Host-`. It keeps nobody on the same host out.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Whether browsers send the cookie over HTTPS only: by default they do.
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// With which requests from other sites browsers send the cookie along: by default [`SameSite::Lax`].
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Whether browsers keep one cookie for each site that embeds this one (CHIPS): by default they keep one for all.
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.partitioned = partitioned;
        self
    }

    /// Ids are signed with these keys (HMAC-SHA256), so that an id nobody was given is refused before the storage is
    /// asked. Instead of what [`encrypted`](CookieBuilder::encrypted) does, if that was said before.
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
        self.protection = Wanted::Signature(keys);
        self
    }

    /// Ids are encrypted with these keys (XChaCha20-Poly1305), so that who sees the cookie, in a log on the way for
    /// one, cannot use the id elsewhere; who has the cookie has the session still. An id nobody was given is refused
    /// before the storage is asked. Instead of what [`signed`](CookieBuilder::signed) does, if that was said before.
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
        self.protection = Wanted::Encryption(keys);
        self
    }

    /// The carrier.
    ///
    /// # Errors
    ///
    /// If browsers would refuse its cookies.
    pub fn build(self) -> Result<CookieCarrier, CookieError> {
        let attributes = Attributes::new(
            self.domain.as_deref(),
            &self.path,
            self.secure,
            self.same_site,
            self.partitioned,
        )?;
        let protection = self.protection.of(&self.name);
        attributes.check_name(&self.name, protection.max_len())?;
        let companion = match self.companion {
            Companion::Derived if self.name == NAME => Some(COMPANION.to_owned()),
            Companion::Derived => Some(format!("{}_ST", self.name)),
            Companion::Named(name) => Some(name),
            Companion::None => None,
        };
        if let Some(companion) = &companion {
            attributes.check_name(companion, 1)?;
            if *companion == self.name {
                return Err(CookieError::SameNames);
            }
        }
        Ok(CookieCarrier {
            name: self.name.into(),
            companion: companion.map(Into::into),
            attributes,
            protection,
        })
    }
}

impl Default for CookieBuilder {
    fn default() -> Self {
        Self {
            name: NAME.to_owned(),
            companion: Companion::Derived,
            domain: None,
            path: "/".to_owned(),
            secure: true,
            same_site: SameSite::Lax,
            partitioned: false,
            protection: Wanted::Nothing,
        }
    }
}
