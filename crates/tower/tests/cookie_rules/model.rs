//! Models how a browser stores a `Set-Cookie` header: RFC 6265bis, sections 5.6 and 5.7, for responses over HTTPS.
//! Written from the standard and from CHIPS, not from the code under test.

/// The host that sets the cookie.
pub(crate) const HOST: &str = "shop.example.com";

/// The default path of the request.
const DEFAULT_PATH: &str = "/default";

/// A cookie as a browser keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) name: String,
    pub(crate) value: String,
    /// `None` restricts the cookie to the very host.
    pub(crate) domain: Option<String>,
    pub(crate) path: String,
    pub(crate) secure: bool,
    pub(crate) http_only: bool,
    pub(crate) same_site: Option<String>,
    pub(crate) partitioned: bool,
    /// In seconds; `None` means until the window closes.
    pub(crate) max_age: Option<i64>,
}

/// Returns the cookie that a browser stores; `None` if it refuses the header.
pub(crate) fn keep(header: &str) -> Option<Kept> {
    if header.chars().any(|c| c.is_ascii_control() && c != '\t') {
        return None;
    }
    let mut parts = header.split(';');
    let pair = parts.next()?;
    let (name, value) = pair.split_once('=').unwrap_or(("", pair));
    let (name, value) = (name.trim_matches([' ', '\t']), value.trim_matches([' ', '\t']));
    if name.len() + value.len() > 4096 || (name.is_empty() && value.is_empty()) {
        return None;
    }
    let mut kept = Kept {
        name: name.to_owned(),
        value: value.to_owned(),
        domain: None,
        path: DEFAULT_PATH.to_owned(),
        secure: false,
        http_only: false,
        same_site: None,
        partitioned: false,
        max_age: None,
    };
    let mut has_path = false;
    for part in parts {
        let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
        let (attribute, value) = (attribute.trim_matches([' ', '\t']), value.trim_matches([' ', '\t']));
        if value.len() > 1024 {
            continue;
        }
        match attribute.to_ascii_lowercase().as_str() {
            "max-age" => kept.max_age = value.parse().ok().map(|seconds: i64| seconds.min(400 * 86_400)),
            "domain" => {
                let domain = value.strip_prefix('.').unwrap_or(value).to_ascii_lowercase();
                kept.domain = (!domain.is_empty()).then_some(domain);
            }
            "path" => {
                has_path = value.starts_with('/');
                kept.path = if has_path {
                    value.to_owned()
                } else {
                    DEFAULT_PATH.to_owned()
                };
            }
            "secure" => kept.secure = true,
            "httponly" => kept.http_only = true,
            "samesite" => kept.same_site = Some(value.to_ascii_lowercase()),
            "partitioned" => kept.partitioned = true,
            _ => {}
        }
    }
    let matches = |domain: &String| HOST == domain || HOST.ends_with(&format!(".{domain}"));
    let starts = |prefix: &str| name.to_ascii_lowercase().starts_with(prefix);
    let refused = kept.domain.as_ref().is_some_and(|domain| !matches(domain))
        || (kept.same_site.as_deref() == Some("none") && !kept.secure)
        || (kept.partitioned && !kept.secure)
        || (starts("__secure-") && !kept.secure)
        || (starts("__http-") && !(kept.secure && kept.http_only))
        || (starts("__host-http-") && !kept.http_only)
        || (starts("__host-") && !(kept.secure && kept.domain.is_none() && has_path && kept.path == "/"))
        || (name.is_empty()
            && ["__host-", "__secure-"]
                .iter()
                .any(|prefix| value.to_ascii_lowercase().starts_with(prefix)));
    (!refused).then_some(kept)
}
