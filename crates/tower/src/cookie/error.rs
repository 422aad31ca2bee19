//! [`CookieError`].

use std::error::Error;
use std::fmt;

/// The settings of a cookie that browsers would refuse, or that are less safe than they could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is not a token: one or more letters, digits, or of ``!#$%&'*+-.^_`|~``.
    Name,
    /// Name and value can be longer than 4,096 bytes together.
    TooLong,
    /// Two of the cookies have one name.
    SameNames,
    /// The name has no prefix, and neither [`unprefixed`](crate::CookieCarrierBuilder::unprefixed) nor
    /// [`insecure`](crate::CookieCarrierBuilder::insecure) is set.
    Unprefixed,
    /// The domain is not a valid host name.
    Domain,
    /// The domain is a single label, and neither
    /// [`single_label_domain`](crate::CookieCarrierBuilder::single_label_domain) nor
    /// [`insecure`](crate::CookieCarrierBuilder::insecure) is set.
    SingleLabelDomain,
    /// The path does not begin with a slash, is longer than 1,024 bytes, ends with a blank, or holds a semicolon or
    /// something other than visible ASCII characters and blanks.
    Path,
    /// The prefixes `__Host-`, `__Secure-` and `__Http-` require `Secure`.
    InsecurePrefix,
    /// The prefix `__Host-` forbids `Domain`.
    HostWithDomain,
    /// The prefix `__Host-` requires `Path=/`.
    HostWithPath,
    /// `SameSite=None` requires `Secure`.
    InsecureSameSiteNone,
    /// `Partitioned` requires `Secure`.
    InsecurePartitioned,
}

impl fmt::Display for CookieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the name of a cookie must be a token",
            Self::TooLong => "the cookie can be longer than 4096 bytes",
            Self::SameNames => "two of the cookies have the same name",
            Self::Unprefixed => "a cookie without the prefix `__Host-` or `__Secure-` can be planted by other hosts",
            Self::Domain => "the domain of a cookie must be a host name",
            Self::SingleLabelDomain => "browsers refuse a cookie for a top-level domain",
            Self::Path => "the path of a cookie must begin with a slash, be of ASCII characters and not too long",
            Self::InsecurePrefix => "a cookie with this prefix must be secure",
            Self::HostWithDomain => "a cookie with the prefix `__Host-` must not have a domain",
            Self::HostWithPath => "a cookie with the prefix `__Host-` must have the path `/`",
            Self::InsecureSameSiteNone => "a cookie with `SameSite=None` must be secure",
            Self::InsecurePartitioned => "a partitioned cookie must be secure",
        })
    }
}

impl Error for CookieError {}
