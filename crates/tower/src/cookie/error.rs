//! [`CookieError`].

use std::error::Error;
use std::fmt;

/// A cookie is set up in a way that browsers refuse, or that is less safe than it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is not a token: one or more letters, digits, or of ``!#$%&'*+-.^_`|~``.
    Name,
    /// Name and value can be longer than 4,096 bytes together.
    TooLong,
    /// Two of the cookies have one name.
    SameNames,
    /// The name has no prefix, and neither [`unprefixed`](crate::CookieBuilder::unprefixed) nor
    /// [`insecure`](crate::CookieBuilder::insecure) was said.
    Unprefixed,
    /// The domain is not a name of hosts.
    Domain,
    /// The domain is a single label, and neither [`single_label_domain`](crate::CookieBuilder::single_label_domain) nor
    /// [`insecure`](crate::CookieBuilder::insecure) was said.
    SingleLabelDomain,
    /// The path does not begin with a slash, is longer than 1,024 bytes, ends with a blank, or holds a semicolon or
    /// something other than visible ASCII characters and blanks.
    Path,
    /// `__Host-`, `__Secure-` and `__Http-` are for cookies with `Secure`.
    InsecurePrefix,
    /// `__Host-` is for cookies without `Domain`.
    HostWithDomain,
    /// `__Host-` is for cookies with `Path=/`.
    HostWithPath,
    /// `SameSite=None` is for cookies with `Secure`.
    InsecureSameSiteNone,
    /// `Partitioned` is for cookies with `Secure`.
    InsecurePartitioned,
}

impl fmt::Display for CookieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the name of a cookie is a token",
            Self::TooLong => "the cookie can be longer than 4096 bytes",
            Self::SameNames => "two of the cookies have the same name",
            Self::Unprefixed => "a cookie without the prefix `__Host-` or `__Secure-` can be planted by others",
            Self::Domain => "the domain of a cookie is a name of hosts",
            Self::SingleLabelDomain => "browsers refuse a cookie for a top-level domain",
            Self::Path => "the path of a cookie begins with a slash, is of ASCII characters and not too long",
            Self::InsecurePrefix => "a cookie with this prefix has to be secure",
            Self::HostWithDomain => "a cookie with the prefix `__Host-` has no domain",
            Self::HostWithPath => "a cookie with the prefix `__Host-` has the path `/`",
            Self::InsecureSameSiteNone => "a cookie with `SameSite=None` has to be secure",
            Self::InsecurePartitioned => "a partitioned cookie has to be secure",
        })
    }
}

impl Error for CookieError {}
