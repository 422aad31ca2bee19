//! [`RedisServers`]: which servers to use, and how to get in.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::credentials::CredentialsProvider;
use crate::error::Failure;
use crate::net::{AddressMap, Cluster, Dialer, Fleet, Node, Sentinel, Tls};
use crate::wait::Lines;

/// More than this is no different from this, and can be added to a moment.
pub(crate) const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Which servers to use, and how to get in: one server, the primary that sentinels name, or a cluster.
///
/// URLs are `redis://[user:password@]host[:port][/database]`, `rediss://..` for TLS (with the feature `tls`) and
/// `redis+unix:///path[?db=number]` for a Unix socket. A text is one server.
///
/// ```
/// use std::time::Duration;
/// use sessile_redis::RedisServers;
///
/// let one = RedisServers::single("redis://localhost");
/// let watched = RedisServers::sentinel(["redis://s1:26379", "redis://s2:26379", "redis://s3:26379"], "primary");
/// let many = RedisServers::cluster(["redis://c1:7000", "redis://c2:7000"])
///     .username("sessions")
///     .password("secret")
///     .timeout(Duration::from_secs(1));
/// # let _ = (one, watched, many);
/// ```
#[derive(Clone)]
#[must_use]
pub struct RedisServers {
    arrangement: Arrangement,
    timeout: Duration,
    username: Option<String>,
    password: Option<String>,
    database: Option<i64>,
    credentials: Option<Arc<dyn CredentialsProvider>>,
    sentinel_credentials: Option<Arc<dyn CredentialsProvider>>,
    addresses: Option<AddressMap>,
    tls: Tls,
    connections: Option<usize>,
}

#[derive(Clone)]
enum Arrangement {
    Single(String),
    Sentinel(Vec<String>, String),
    Cluster(Vec<String>),
}

impl RedisServers {
    /// The server at this URL. It must not be a node of a cluster: those are named to [`cluster`](Self::cluster), one
    /// alone as well.
    pub fn single(url: impl Into<String>) -> Self {
        Self::new(Arrangement::Single(url.into()))
    }

    /// The server that the sentinels at these URLs take for the primary of this name, whichever that is at the time.
    ///
    /// Credentials in the URLs are for the sentinels; those of the primary are set apart. With `rediss://` the primary
    /// is spoken to by TLS as well.
    pub fn sentinel<U: Into<String>>(sentinels: impl IntoIterator<Item = U>, name: impl Into<String>) -> Self {
        let urls = sentinels.into_iter().map(Into::into).collect();
        Self::new(Arrangement::Sentinel(urls, name.into()))
    }

    /// The cluster of which some nodes, one at least, are at these URLs. The first URL says how to get in everywhere.
    pub fn cluster<U: Into<String>>(nodes: impl IntoIterator<Item = U>) -> Self {
        Self::new(Arrangement::Cluster(nodes.into_iter().map(Into::into).collect()))
    }

    fn new(arrangement: Arrangement) -> Self {
        Self {
            arrangement,
            timeout: Duration::from_secs(2),
            username: None,
            password: None,
            database: None,
            credentials: None,
            sentinel_credentials: None,
            addresses: None,
            tls: Tls::default(),
            connections: None,
        }
    }

    /// How long any call may take, connecting included and waiting for a lock apart: 2 seconds unless set.
    ///
    /// A server that is gone is noticed at once; one that says nothing, only after this time. Zero is refused when
    /// connecting, and more than a century is a century.
    ///
    /// A server that lets nobody in is tried again after 20 to 40 milliseconds, then twice that, and so on up to half a
    /// second, or half of this time if that is less, by the whole process and not by each call. Calls that come meanwhile
    /// wait for the next attempt and fail as that does, so none fails for a server that is back.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The ACL user to log in as, instead of that of the URL.
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// The password to log in with, instead of that of the URL.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Asks for the credentials whenever a connection is made, instead of those that are set or in the URL. Behind
    /// Sentinel they are those of the primary.
    pub fn credentials(mut self, provider: impl CredentialsProvider) -> Self {
        self.credentials = Some(Arc::new(provider));
        self
    }

    /// The same for the sentinels. Elsewhere it changes nothing.
    pub fn sentinel_credentials(mut self, provider: impl CredentialsProvider) -> Self {
        self.sentinel_credentials = Some(Arc::new(provider));
        self
    }

    /// Says where to reach the servers that sentinels and nodes of a cluster name, where that is not where they say
    /// they are: behind address translation, or in containers. It is given host and port as they were named, and `None`
    /// leaves them as they are. What the URLs name is not translated.
    ///
    /// ```
    /// use sessile_redis::RedisServers;
    ///
    /// let servers = RedisServers::cluster(["redis://localhost:7000"])
    ///     .map_addresses(|host, port| host.starts_with("172.17.").then(|| ("localhost".to_owned(), port)));
    /// # let _ = servers;
    /// ```
    pub fn map_addresses<M>(mut self, map: M) -> Self
    where
        M: Fn(&str, u16) -> Option<(String, u16)> + Send + Sync + 'static,
    {
        self.addresses = Some(Arc::new(map));
        self
    }

    /// The number of the database, instead of that of the URL. A cluster has only number 0.
    pub fn database(mut self, database: i64) -> Self {
        self.database = Some(database);
        self
    }

    /// By how many connections commands go to each server. Unless set, it is 1 where the runtime in which the storage is
    /// connected has one thread, and 2 where it has more. Zero is refused when connecting.
    ///
    /// All threads share them. With two, threads wake each other less often than with one. More than two make the batches
    /// smaller in which commands arrive, which costs the server: they are worth a measurement where one server answers
    /// with several threads (`io-threads`) and this process has many.
    ///
    /// Which of them a session uses is fixed. Messages, and writes that wait for replicas, have one more each.
    ///
    /// ```
    /// use sessile_redis::RedisServers;
    ///
    /// let servers = RedisServers::single("redis://localhost").connections(4);
    /// # let _ = servers;
    /// ```
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = Some(connections);
        self
    }

    /// Trusts this authority (certificates as PEM) instead of those the operating system trusts.
    #[cfg(feature = "tls")]
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.root = Some(pem.into());
        self
    }

    /// Shows this certificate (chain as PEM) to servers that ask for one, and proves it with this key (PEM).
    #[cfg(feature = "tls")]
    pub fn client_certificate(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.tls.client = Some((chain.into(), key.into()));
        self
    }

    /// How long a call may take.
    pub(crate) fn limit(&self) -> Duration {
        self.timeout.min(CENTURY)
    }

    /// The servers, once there are lines to tell about their messages, as often as they are asked for: each time with
    /// connections of their own. `replication` is how much longer a call may take that replicas have to answer as well.
    pub(crate) fn prepare(self, replication: Duration) -> Result<impl Fn(&Arc<Lines>) -> Fleet + use<>, Failure> {
        let invalid = |what| Failure::Setup((redis::ErrorKind::InvalidClientConfig, what).into());
        let timeout = self.limit();
        if timeout.is_zero() {
            return Err(invalid("a timeout of zero leaves no time for any call"));
        }
        let Some(connections) = NonZeroUsize::new(self.connections.unwrap_or_else(connections)) else {
            return Err(invalid("nothing is sent by no connection"));
        };
        let tls = Arc::new(self.tls);
        let dial = |url: &String| Dialer::new(url, timeout, &tls);
        let urls = match &self.arrangement {
            Arrangement::Single(url) => std::slice::from_ref(url),
            Arrangement::Sentinel(urls, _) | Arrangement::Cluster(urls) => urls,
        };
        let mut dialers = urls.iter().map(dial).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = dialers.first() else {
            return Err(invalid("at least one URL is needed"));
        };
        let mut dialer = match self.arrangement {
            Arrangement::Sentinel(..) => first.without_credentials(),
            Arrangement::Single(_) | Arrangement::Cluster(_) => first.clone(),
        };
        for sentinel in &mut dialers {
            sentinel.ask_for_credentials(self.sentinel_credentials.clone());
        }
        dialer.authenticate(self.username.as_deref(), self.password.as_deref());
        dialer.ask_for_credentials(self.credentials);
        dialer.map_addresses(self.addresses);
        if let Some(database) = self.database {
            dialer.select(database);
        }
        dialer.allow_for_replication(replication);
        dialer.connect_by(connections);
        let arrangement = self.arrangement;
        Ok(move |lines: &Arc<Lines>| {
            let (dialer, lines) = (dialer.clone(), Arc::clone(lines));
            match &arrangement {
                Arrangement::Single(_) => Fleet::Single(Node::new(&dialer, dialer.addr(), &lines)),
                Arrangement::Sentinel(_, name) => {
                    let sentinels = dialers.iter().map(|dialer| dialer.line(dialer.addr(), None)).collect();
                    Fleet::Sentinel(Sentinel::new(sentinels, name.clone(), dialer, lines))
                }
                Arrangement::Cluster(_) => {
                    let seeds = dialers.iter().map(Dialer::addr).collect();
                    Fleet::Cluster(Cluster::new(dialer, seeds, lines))
                }
            }
        })
    }
}

/// How many connections are enough here to keep threads from waking each other.
fn connections() -> usize {
    Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers().min(2))
}

/// One server, by its URL.
impl From<&str> for RedisServers {
    fn from(url: &str) -> Self {
        Self::single(url)
    }
}

/// One server, by its URL.
impl From<String> for RedisServers {
    fn from(url: String) -> Self {
        Self::single(url)
    }
}

/// One server, by its URL.
impl From<&String> for RedisServers {
    fn from(url: &String) -> Self {
        Self::single(url)
    }
}

/// Shows nothing of the URLs, which may hold passwords.
impl fmt::Debug for RedisServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrangement = match &self.arrangement {
            Arrangement::Single(_) => "single",
            Arrangement::Sentinel(..) => "sentinel",
            Arrangement::Cluster(_) => "cluster",
        };
        f.debug_struct("RedisServers")
            .field("arrangement", &arrangement)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_password() {
        let servers = RedisServers::single("redis://user:hidden@localhost").password("hidden");
        assert!(!format!("{servers:?} {servers:#?}").contains("hidden"));
    }
}
