//! The attributes of a cookie, checked by the rules of browsers.

use super::error::CookieError;

/// The requests from other sites with which a browser sends a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SameSite {
    /// No requests: a visitor who follows a link from another site arrives without a session.
    Strict,
    /// Navigation from another site by a method that only reads, such as a link.
    #[default]
    Lax,
    /// All requests. The application must protect itself against cross-site request forgery.
    None,
}

impl SameSite {
    const fn name(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

/// The longest name and value, taken together, that browsers accept, in bytes.
const MAX_PAIR: usize = 4_096;

/// The longest value of an attribute that browsers accept, in bytes.
const MAX_ATTRIBUTE: usize = 1_024;

/// A combination of attributes that browsers accept.
#[derive(Debug, Clone)]
pub(crate) struct Attributes {
    has_domain: bool,
    /// True if there is a domain of a single label.
    pub(super) has_single_label: bool,
    is_for_all_paths: bool,
    secure: bool,
    /// All attributes but `Max-Age`, as text.
    pub(super) text: Box<str>,
}

impl Attributes {
    /// Checks everything that does not depend on the cookie's name.
    pub(super) fn new(
        domain: Option<&str>,
        path: &str,
        secure: bool,
        same_site: SameSite,
        partitioned: bool,
    ) -> Result<Self, CookieError> {
        let domain = domain.map(valid_domain).transpose()?;
        if !is_valid_path(path) {
            return Err(CookieError::Path);
        }
        if !secure && same_site == SameSite::None {
            return Err(CookieError::InsecureSameSiteNone);
        }
        if !secure && partitioned {
            return Err(CookieError::InsecurePartitioned);
        }
        let mut text = format!("; Path={path}");
        if let Some(domain) = &domain {
            text.push_str("; Domain=");
            text.push_str(domain);
        }
        text.push_str("; HttpOnly; SameSite=");
        text.push_str(same_site.name());
        if secure {
            text.push_str("; Secure");
        }
        if partitioned {
            text.push_str("; Partitioned");
        }
        Ok(Self {
            has_domain: domain.is_some(),
            has_single_label: domain.is_some_and(|domain| !domain.contains('.')),
            is_for_all_paths: path == "/",
            secure,
            text: text.into(),
        })
    }

    /// Checks a name, and the requirements of its prefix (RFC 6265bis, section 4.1.3). Browsers ignore the case of a
    /// prefix.
    pub(super) fn check_name(&self, name: &str, max_value: usize) -> Result<(), CookieError> {
        let is_token = !name.is_empty() && name.bytes().all(is_token_byte);
        if !is_token {
            return Err(CookieError::Name);
        }
        if name.len() + max_value > MAX_PAIR {
            return Err(CookieError::TooLong);
        }
        let is_host = starts(name, "__Host-");
        if has_prefix(name) && !self.secure {
            return Err(CookieError::InsecurePrefix);
        }
        if is_host && self.has_domain {
            return Err(CookieError::HostWithDomain);
        }
        if is_host && !self.is_for_all_paths {
            return Err(CookieError::HostWithPath);
        }
        Ok(())
    }
}

/// Returns whether browsers accept a cookie of this name over HTTPS only.
pub(super) fn has_prefix(name: &str) -> bool {
    let mut prefixes = ["__Host-", "__Secure-", "__Http-"].iter();
    prefixes.any(|prefix| starts(name, prefix))
}

fn starts(name: &str, prefix: &str) -> bool {
    let start = name.as_bytes().get(..prefix.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Returns whether this is a character of a token (RFC 9110, section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_valid_path(path: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b' '..=b'~') && byte != b';';
    path.starts_with('/') && path.len() <= MAX_ATTRIBUTE && path.bytes().all(allowed) && !path.ends_with(' ')
}

/// Returns the domain in lower case, without the leading dot, which browsers ignore.
fn valid_domain(domain: &str) -> Result<String, CookieError> {
    let domain = domain.strip_prefix('.').unwrap_or(domain);
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // The limit of the DNS is below that of attributes.
    if domain.len() > 253 || !domain.split('.').all(is_label) {
        return Err(CookieError::Domain);
    }
    Ok(domain.to_ascii_lowercase())
}
