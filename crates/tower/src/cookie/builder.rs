//! [`CookieBuilder`].

use std::sync::Arc;

use sessile_core::WindowId;

use super::attributes::has_prefix;
use super::protection::Wanted;
use super::{Attributes, CookieCarrier, CookieError, Pair, SameSite};
#[cfg(any(feature = "signed", feature = "encrypted"))]
use crate::keyring::KeyRing;

/// What the names of the cookies end in: the one of the id, the companion and the marker.
const ID: &str = "SID";
const COMPANION: &str = "ST";
const MARKER: &str = "SW";

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
///
/// // Anybody on a neighbouring host can plant a cookie of this name, so it has to be asked for.
/// let refused = CookieCarrier::builder().name("id").build();
/// assert_eq!(refused.unwrap_err(), CookieError::Unprefixed);
/// let carrier = CookieCarrier::builder().name("id").unprefixed().build()?;
/// # Ok::<_, CookieError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct CookieBuilder {
    name: Name,
    windows: Windows,
    unprefixed: bool,
    domain: Option<String>,
    single_label: bool,
    path: String,
    secure: bool,
    same_site: SameSite,
    partitioned: bool,
    protection: Wanted,
}

/// The name of the cookie that holds the id.
#[derive(Debug, Clone)]
enum Name {
    Default,
    /// With that of an application in it.
    Of(String),
    Given(String),
}

/// The cookies about the browser's window.
#[derive(Debug, Clone)]
enum Windows {
    /// Named after the first cookie where not named themselves.
    Told {
        companion: Option<String>,
        marker: Option<String>,
    },
    Untold,
}

impl CookieBuilder {
    /// The name of the cookie: by default `__Host-SID`.
    ///
    /// It begins with `__Host-`, or with `__Secure-` where the cookie has a [domain](CookieBuilder::domain) or a
    /// [path](CookieBuilder::path), unless [`unprefixed`](CookieBuilder::unprefixed) is said as well. Two layers in front
    /// of one service need different names.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Name::Given(name.into());
        self
    }

    /// The cookies are named after an application: `__Host-shop-SID`, `__Host-shop-ST` and `__Host-shop-SW`. Instead of
    /// what [`name`](CookieBuilder::name) says, if that was said before.
    ///
    /// Applications on one host need names of their own, as browsers do not tell ports apart.
    pub fn application(mut self, application: impl Into<String>) -> Self {
        self.name = Name::Of(application.into());
        self
    }

    /// The name can do without a prefix, so that pages on neighbouring hosts, and whoever can answer for this host over
    /// plain http, can plant a cookie that is taken for the visitor's own.
    ///
    /// It is for names that are given, and cannot be changed.
    pub fn unprefixed(mut self) -> Self {
        self.unprefixed = true;
        self
    }

    /// The name of the cookie that the browser forgets when its window closes, and that exists while the session holds
    /// transient data: by default that of the first cookie with `ST` in place of `SID`, such as `__Host-ST`, or with
    /// `_ST` at its end.
    pub fn companion(mut self, name: impl Into<String>) -> Self {
        let marker = self.windows.names().1;
        self.windows = Windows::Told {
            companion: Some(name.into()),
            marker,
        };
        self
    }

    /// The name of the cookie that stands beside the [companion](CookieBuilder::companion) and stays when the window
    /// closes: by default that of the first cookie with `SW` in place of `SID`, such as `__Host-SW`, or with `_SW` at its
    /// end.
    pub fn marker(mut self, name: impl Into<String>) -> Self {
        let companion = self.windows.names().0;
        self.windows = Windows::Told {
            companion,
            marker: Some(name.into()),
        };
        self
    }

    /// There is neither a companion nor a marker: that a browser was restarted goes unnoticed, and transient data lasts
    /// as long as its session.
    pub fn without_companion(mut self) -> Self {
        self.windows = Windows::Untold;
        self
    }

    /// Browsers send the cookie to this domain and to all hosts below it: by default only to the very host that set
    /// it. Needs a [name](CookieBuilder::name) without the prefix `__Host-`.
    ///
    /// Browsers refuse a domain under which anybody can have a host, such as `com` or `co.uk`. Which domains these are
    /// changes; what is refused here is a domain of a single label.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// The [domain](CookieBuilder::domain) can be a single label, such as the name of a host in an intranet.
    pub fn single_label_domain(mut self) -> Self {
        self.single_label = true;
        self
    }

    /// Browsers send the cookie with requests for this path and those below it: by default `/`. Needs a
    /// [name](CookieBuilder::name) without the prefix `__Host-`. It keeps nobody on the same host out.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Browsers send the cookies over plain http, too, and take them from there: names need no prefix, and those that are
    /// not given have none, as in `SID`. A domain can be a single label, such as `localhost`.
    ///
    /// For servers on one's own machine: whoever is on the way between browser and server reads the id.
    pub fn insecure(mut self) -> Self {
        self.secure = false;
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
    /// If browsers would refuse its cookies, or if they would be less safe than they can be and nobody asked for that.
    pub fn build(self) -> Result<CookieCarrier, CookieError> {
        let attributes = Attributes::new(
            self.domain.as_deref(),
            &self.path,
            self.secure,
            self.same_site,
            self.partitioned,
        )?;
        if attributes.has_single_label() && self.secure && !self.single_label {
            return Err(CookieError::SingleLabelDomain);
        }
        let name = self.name.text(self.secure);
        let protection = self.protection.of(&name);
        attributes.check_name(&name, protection.max_len())?;
        if self.secure && !self.unprefixed && !has_prefix(&name) {
            return Err(CookieError::Unprefixed);
        }
        let pair = self.windows.pair(&name);
        if let Some(Pair { companion, marker }) = &pair {
            attributes.check_name(companion, WindowId::LEN)?;
            attributes.check_name(marker, WindowId::LEN)?;
            if **companion == *name || **marker == *name || companion == marker {
                return Err(CookieError::SameNames);
            }
        }
        Ok(CookieCarrier {
            name: name.into(),
            pair,
            attributes,
            protection,
            tally: Arc::default(),
        })
    }
}

impl Name {
    fn text(self, secure: bool) -> String {
        let prefix = if secure { "__Host-" } else { "" };
        match self {
            Self::Default => format!("{prefix}{ID}"),
            Self::Of(application) => format!("{prefix}{application}-{ID}"),
            Self::Given(name) => name,
        }
    }
}

impl Windows {
    /// The names that were given.
    fn names(self) -> (Option<String>, Option<String>) {
        match self {
            Self::Told { companion, marker } => (companion, marker),
            Self::Untold => (None, None),
        }
    }

    fn pair(self, name: &str) -> Option<Pair> {
        let Self::Told { companion, marker } = self else {
            return None;
        };
        Some(Pair {
            companion: companion.unwrap_or_else(|| beside(name, COMPANION)).into(),
            marker: marker.unwrap_or_else(|| beside(name, MARKER)).into(),
        })
    }
}

/// The name of a cookie beside one of this name.
fn beside(name: &str, ending: &str) -> String {
    match name.strip_suffix(ID) {
        Some(stem) if stem.is_empty() || stem.ends_with(['-', '_']) => format!("{stem}{ending}"),
        _ => format!("{name}_{ending}"),
    }
}

impl Default for CookieBuilder {
    fn default() -> Self {
        Self {
            name: Name::Default,
            windows: Windows::Told {
                companion: None,
                marker: None,
            },
            unprefixed: false,
            domain: None,
            single_label: false,
            path: "/".to_owned(),
            secure: true,
            same_site: SameSite::Lax,
            partitioned: false,
            protection: Wanted::Nothing,
        }
    }
}
