//! [`RedisUrl`]: one text for all the ways in which Redis servers can be arranged.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use sessile::RedisServers;

/// The port on which sentinels listen unless told otherwise.
const SENTINEL_PORT: &str = ":26379";

/// Where Redis is:
///
/// | URL | |
/// |---|---|
/// | `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]` | one server |
/// | `redis+unix:///PATH` | one server, by its Unix socket |
/// | `redis-sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]..]/NAME` | the primary that these sentinels call by this name; the credentials are for the primary |
/// | `redis-cluster://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]..]` | a cluster, of which these are some nodes |
///
/// With `rediss` for `redis`, all but the socket are spoken to by TLS.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    place: Place,
    /// The URL without what may be secret in it.
    shown: String,
}

#[derive(Clone, PartialEq, Eq)]
enum Place {
    Single(String),
    Sentinel {
        sentinels: Vec<String>,
        name: String,
        username: Option<String>,
        password: Option<String>,
    },
    Cluster(Vec<String>),
}

impl RedisUrl {
    /// Whether URLs with this scheme are about Redis.
    pub(super) fn has_scheme(scheme: &str) -> bool {
        let rest = scheme.strip_prefix("rediss").or_else(|| scheme.strip_prefix("redis"));
        rest.is_some_and(|rest| matches!(rest, "" | "+unix" | "-sentinel" | "-cluster"))
    }

    /// Whether TLS is asked for and this build has none.
    pub(super) fn needs_tls_that_is_missing(&self) -> bool {
        self.shown.starts_with("rediss") && !cfg!(feature = "redis-tls")
    }

    /// The servers, with the defaults for everything else.
    pub(super) fn servers(&self) -> RedisServers {
        match &self.place {
            Place::Single(url) => RedisServers::single(url),
            Place::Cluster(urls) => RedisServers::cluster(urls),
            Place::Sentinel {
                sentinels,
                name,
                username,
                password,
            } => {
                let mut servers = RedisServers::sentinel(sentinels, name);
                if let Some(username) = username {
                    servers = servers.username(username);
                }
                if let Some(password) = password {
                    servers = servers.password(password);
                }
                servers
            }
        }
    }
}

/// What is wrong with a URL is said without the URL, which may hold a password.
impl FromStr for RedisUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").ok_or("a URL has :// in it")?;
        let (transport, arrangement) = match scheme.split_once('-') {
            Some((transport, arrangement)) => (transport, arrangement),
            None => (scheme, ""),
        };
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, rest),
        };
        let place = match arrangement {
            "" if place.trim_start_matches('/').is_empty() => Err("the host or the path is missing".to_owned())?,
            "" => Place::Single(text.to_owned()),
            "cluster" => {
                let login = login.map(|login| format!("{login}@")).unwrap_or_default();
                let nodes = hosts(place.trim_end_matches('/'))?;
                let urls = nodes.map(|node| format!("{transport}://{login}{node}"));
                Place::Cluster(urls.collect())
            }
            "sentinel" => {
                let (sentinels, name) = place.split_once('/').unwrap_or((place, ""));
                if name.is_empty() {
                    let example = "the name of the primary is missing, as in redis-sentinel://HOST:26379/NAME";
                    return Err(example.to_owned());
                }
                let url = |host: &str| {
                    let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
                    let port = if has_port { "" } else { SENTINEL_PORT };
                    format!("{transport}://{host}{port}")
                };
                let (username, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
                    Some((username, password)) => (decoded(username)?, decoded(password)?),
                    None => (None, None),
                };
                Place::Sentinel {
                    sentinels: hosts(sentinels)?.map(url).collect(),
                    name: name.to_owned(),
                    username,
                    password,
                }
            }
            _ => Err("Redis is one server, redis-sentinel or redis-cluster".to_owned())?,
        };
        Ok(Self {
            place,
            shown: format!("{scheme}://{}", without_secrets(rest)),
        })
    }
}

/// The hosts of a list, none of which may be blank.
fn hosts(list: &str) -> Result<impl Iterator<Item = &str>, String> {
    if list.split(',').any(|host| host.trim().is_empty()) {
        return Err("a host is missing".to_owned());
    }
    Ok(list.split(',').map(str::trim))
}

/// A part of the login, if it is there.
fn decoded(text: &str) -> Result<Option<String>, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| "user or password are not text".to_owned())?;
    Ok((!decoded.is_empty()).then(|| decoded.into_owned()))
}

/// What is left when the login and the query are gone, either of which may hold a password.
fn without_secrets(rest: &str) -> &str {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    if query.contains('@') {
        // The question mark may stand in a password, so nobody knows what is secret here.
        return "..";
    }
    rest.rsplit_once('@').map_or(rest, |(_, place)| place)
}

/// The URL without login and query.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Shows nothing of the URL that may be a password.
impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisUrl").field(&self.shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        let url: RedisUrl = text.parse().expect(text);
        assert!(!format!("{url:?}").contains("hidden"));
        url.place
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
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
        }
    }

    #[test]
    fn one_server_is_taken_as_it_is() {
        for text in [
            "redis://localhost",
            "rediss://user:hidden@host:6380/2",
            "redis+unix:///run/redis.sock",
        ] {
            assert!(matches!(place(text), Place::Single(url) if url == text));
        }
    }

    #[test]
    fn the_login_of_a_cluster_is_good_for_all_nodes() {
        let expected = ["redis://u:hidden@a:1", "redis://u:hidden@b:2"].map(str::to_owned);
        assert!(place("redis-cluster://u:hidden@a:1,b:2") == Place::Cluster(expected.to_vec()));
    }

    #[test]
    fn the_login_of_sentinel_is_for_the_primary() {
        let expected = Place::Sentinel {
            sentinels: ["rediss://a:1", "rediss://[::1]:26379", "rediss://c:26379"]
                .map(str::to_owned)
                .to_vec(),
            name: "shop".to_owned(),
            username: None,
            password: Some("hid den".to_owned()),
        };
        assert!(place("rediss-sentinel://:hid%20den@a:1,[::1],c/shop") == expected);
    }

    #[test]
    fn what_is_missing_is_said() {
        for (text, missing) in [
            ("redis:localhost", "://"),
            ("redis://", "host"),
            ("redis-sentinel://a:1", "name"),
            ("redis-sentinel:///name", "host"),
            ("redis-cluster://a:1,,b:2", "host"),
            ("redis-ring://a:1", "Redis is"),
        ] {
            let error = RedisUrl::from_str(text).expect_err(text);
            assert!(error.contains(missing), "{text}: {error}");
        }
    }
}
