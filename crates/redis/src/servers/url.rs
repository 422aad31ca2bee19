//! Parsing of URLs that name several servers.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use super::RedisServers;

/// The port of a sentinel whose URL has none.
const SENTINEL_PORT: &str = ":26379";

/// The error of a URL that does not name Redis servers.
///
/// The message does not contain the URL, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseServersError(&'static str);

impl fmt::Display for ParseServersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for ParseServersError {}

/// Parses one URL for any arrangement of servers, for configuration files and command lines.
///
/// | URL | servers |
/// |---|---|
/// | `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]` | one server |
/// | `redis+unix:///PATH` | one server, by its Unix socket |
/// | `redis-sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]..]/NAME` | the primary of this name, by its sentinels |
/// | `redis-cluster://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]..]` | the cluster to which these nodes belong |
///
/// `rediss` in place of `redis` stands for TLS, except for the socket. With Sentinel, the credentials are those of the
/// primary, and the port of a sentinel defaults to 26379.
///
/// ```
/// use sessile_redis::RedisServers;
///
/// let servers: RedisServers = "redis-sentinel://sessions:secret@s1,s2,s3/primary".parse()?;
/// let error = "redis-sentinel://s1,s2,s3".parse::<RedisServers>().unwrap_err();
/// assert!(error.to_string().contains("the name of the primary is missing"));
/// # let _ = servers;
/// # Ok::<(), sessile_redis::ParseServersError>(())
/// ```
///
/// The URL of a single server is checked in full only when connecting.
impl FromStr for RedisServers {
    type Err = ParseServersError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").ok_or(ParseServersError("a URL has :// in it"))?;
        let (transport, arrangement) = scheme.split_once('-').unwrap_or((scheme, ""));
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, rest),
        };
        match arrangement {
            "" if place.trim_start_matches('/').is_empty() => Err(ParseServersError("the host or the path is missing")),
            "" => Ok(Self::single(text)),
            "cluster" => {
                let login = login.map(|login| format!("{login}@")).unwrap_or_default();
                let nodes = hosts(place.trim_end_matches('/'))?;
                Ok(Self::cluster(nodes.map(|node| format!("{transport}://{login}{node}"))))
            }
            "sentinel" => {
                let (sentinels, name) = place.split_once('/').unwrap_or((place, ""));
                if name.is_empty() {
                    let example = "the name of the primary is missing, as in redis-sentinel://HOST:26379/NAME";
                    return Err(ParseServersError(example));
                }
                let url = |host: &str| {
                    let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
                    let port = if has_port { "" } else { SENTINEL_PORT };
                    format!("{transport}://{host}{port}")
                };
                let mut servers = Self::sentinel(hosts(sentinels)?.map(url), name);
                if let Some(login) = login {
                    let (username, password) = login.split_once(':').unwrap_or((login, ""));
                    (servers.username, servers.password) = (decode(username)?, decode(password)?);
                }
                Ok(servers)
            }
            _ => Err(ParseServersError(
                "Redis is one server, redis-sentinel or redis-cluster",
            )),
        }
    }
}

/// Splits a list of hosts, none of which may be blank.
fn hosts(list: &str) -> Result<impl Iterator<Item = &str>, ParseServersError> {
    if list.split(',').any(|host| host.trim().is_empty()) {
        return Err(ParseServersError("a host is missing"));
    }
    Ok(list.split(',').map(str::trim))
}

/// Decodes a user name or password; `None` if it is empty.
fn decode(text: &str) -> Result<Option<String>, ParseServersError> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| ParseServersError("user or password are not text"))?;
    Ok((!decoded.is_empty()).then(|| decoded.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::Arrangement;
    use super::*;

    fn parse(text: &str) -> RedisServers {
        let servers: RedisServers = text.parse().expect(text);
        assert!(!format!("{servers:?}").contains("hidden"));
        servers
    }

    #[test]
    fn one_server_is_taken_as_it_is() {
        for text in [
            "redis://localhost",
            "rediss://user:hidden@host:6380/2",
            "redis+unix:///run/redis.sock",
        ] {
            assert!(matches!(parse(text).arrangement, Arrangement::Single(url) if url == text));
        }
    }

    #[test]
    fn the_login_of_a_cluster_is_for_all_nodes() {
        let expected = ["redis://u:hidden@a:1", "redis://u:hidden@b:2"].map(str::to_owned);
        let servers = parse("redis-cluster://u:hidden@a:1,b:2");
        assert!(servers.arrangement == Arrangement::Cluster(expected.to_vec()));
    }

    #[test]
    fn the_login_of_sentinel_is_for_the_primary() {
        let servers = parse("rediss-sentinel://:hid%20den@a:1,[::1],c/shop");
        let sentinels = ["rediss://a:1", "rediss://[::1]:26379", "rediss://c:26379"].map(str::to_owned);
        assert!(servers.arrangement == Arrangement::Sentinel(sentinels.to_vec(), "shop".to_owned()));
        assert_eq!(servers.username, None);
        assert_eq!(servers.password.as_deref(), Some("hid den"));
    }

    #[test]
    fn the_error_says_what_is_missing() {
        for (text, missing) in [
            ("redis:localhost", "://"),
            ("redis://", "host"),
            ("redis-sentinel://a:1", "name"),
            ("redis-sentinel:///name", "host"),
            ("redis-cluster://a:1,,b:2", "host"),
            ("redis-ring://a:1", "Redis is"),
        ] {
            let error = RedisServers::from_str(text).expect_err(text).to_string();
            assert!(error.contains(missing), "{text}: {error}");
        }
    }
}
