//! [`CookieError`].

use std::error::Error;
use std::fmt;

/// A cookie is set up in a way that browsers refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is not a token: one or more letters, digits, or of ``!#$%&'*+-.^_`|~``.
    Name,
    /// Name and value can be longer than 4,096 bytes together.
    TooLong,
    /// The second cookie has the name of the first.
    SameNames,
    /// The domain is not a name of hosts.
    Domain,
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
            Self::SameNames => "both cookies have the same name",
            Self::Domain => "the domain of a cookie is a name of hosts",
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
