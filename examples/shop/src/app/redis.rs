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
pub struct RedisUrl(Place);

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

    /// The servers, with the defaults for everything else.
    pub(super) fn servers(&self) -> RedisServers {
        match &self.0 {
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
        match arrangement {
            "" if place.trim_start_matches('/').is_empty() => Err("the host or the path is missing".to_owned()),
            "" => Ok(Self(Place::Single(text.to_owned()))),
            "cluster" => {
                let login = login.map(|login| format!("{login}@")).unwrap_or_default();
                let nodes = hosts(place.trim_end_matches('/'))?;
                let urls = nodes.map(|node| format!("{transport}://{login}{node}"));
                Ok(Self(Place::Cluster(urls.collect())))
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
                Ok(Self(Place::Sentinel {
                    sentinels: hosts(sentinels)?.map(url).collect(),
                    name: name.to_owned(),
                    username,
                    password,
                }))
            }
            _ => Err("Redis is one server, redis-sentinel or redis-cluster".to_owned()),
        }
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

/// Shows nothing of the URL, which may hold a password.
impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrangement = match &self.0 {
            Place::Single(_) => "single",
            Place::Sentinel { .. } => "sentinel",
            Place::Cluster(_) => "cluster",
        };
        f.debug_tuple("RedisUrl").field(&arrangement).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        let url: RedisUrl = text.parse().expect(text);
        assert!(!format!("{url:?}").contains("hidden"));
        url.0
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
