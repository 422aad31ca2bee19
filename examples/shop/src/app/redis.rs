//! [`RedisUrl`]: a URL of Redis servers that can be shown.

use std::fmt;
use std::str::FromStr;

use sessile::redis::RedisServers;

/// A URL of Redis servers, in any of the forms that [`RedisServers`] parses.
#[derive(Clone)]
pub struct RedisUrl {
    servers: Box<RedisServers>,
    /// The URL without its secrets.
    shown: String,
}

impl RedisUrl {
    /// Returns whether URLs with this scheme name Redis servers.
    pub(super) fn has_scheme(scheme: &str) -> bool {
        let rest = scheme.strip_prefix("rediss").or_else(|| scheme.strip_prefix("redis"));
        rest.is_some_and(|rest| matches!(rest, "" | "+unix" | "-sentinel" | "-cluster"))
    }

    /// Returns whether the URL requires TLS and this build has none.
    pub(super) fn needs_tls_that_is_missing(&self) -> bool {
        self.shown.starts_with("rediss") && !cfg!(feature = "redis-tls")
    }

    /// Returns the servers, with the defaults for everything else.
    pub(super) fn servers(&self) -> RedisServers {
        RedisServers::clone(&self.servers)
    }
}

impl FromStr for RedisUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let servers = RedisServers::from_str(text).map_err(|error| error.to_string())?;
        let (scheme, rest) = text.split_once("://").unwrap_or((text, ""));
        let shown = format!("{scheme}://{}", without_secrets(rest));
        Ok(Self {
            servers: Box::new(servers),
            shown,
        })
    }
}

/// Removes the login and the query, either of which may contain a password.
fn without_secrets(rest: &str) -> &str {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    if query.contains('@') {
        // The question mark may be a part of a password, so the end of the secret is unknown.
        return "..";
    }
    rest.rsplit_once('@').map_or(rest, |(_, place)| place)
}

/// Shows the URL without login and query.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Shows the URL without login and query.
impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisUrl").field(&self.shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        for (text, shown) in [
            ("redis://h", "redis://h"),
            ("rediss://user:hidden@host:6380/2", "rediss://host:6380/2"),
            ("redis://:hid@den@host", "redis://host"),
            ("redis://:hid/den@host", "redis://host"),
            ("redis://:hid?den@host", "redis://.."),
            ("redis://host/2?password=hidden", "redis://host/2"),
            (
                "redis+unix:///run/redis.sock?pass=hidden",
                "redis+unix:///run/redis.sock",
            ),
            ("redis+unix:///run/redis.sock?pass=hid@den", "redis+unix://.."),
            ("redis-cluster://u:hidden@a:1,b:2", "redis-cluster://a:1,b:2"),
            (
                "redis-sentinel://u:hidden@a:1,b:2/shop",
                "redis-sentinel://a:1,b:2/shop",
            ),
        ] {
            let url: RedisUrl = text.parse().expect(text);
            assert_eq!(url.to_string(), shown, "{text}");
            assert!(!format!("{url:?}").contains("hidden"));
        }
    }
}
