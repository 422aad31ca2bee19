//! [`RedisServers`]: the servers to use, and the means to log in.

mod url;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

pub use self::url::ParseServersError;
use crate::credentials::CredentialsProvider;
use crate::error::Failure;
use crate::net::{AddressMap, Connector, Tls, TopologyConfig};
use crate::options::CENTURY;

/// The servers to use, and the means to log in: one server, the primary that sentinels name, or a cluster.
///
/// URLs are `redis://[user:password@]host[:port][/database]`, `rediss://..` for TLS (with the feature `tls`) and
/// `redis+unix:///path[?db=number]` for a Unix socket. A string converts (`into`) to a single server; parsing it
/// (`parse`) accepts `redis-sentinel://` and `redis-cluster://` as well.
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

#[derive(Clone, PartialEq, Eq)]
enum Arrangement {
    Single(String),
    Sentinel(Vec<String>, String),
    Cluster(Vec<String>),
}

impl RedisServers {
    /// Uses the server at this URL. It must not be a node of a cluster: those belong to [`cluster`](Self::cluster),
    /// even a single one.
    pub fn single(url: impl Into<String>) -> Self {
        Self::new(Arrangement::Single(url.into()))
    }

    /// Uses the server that the sentinels at these URLs currently name as the primary of this name.
    ///
    /// Credentials in the URLs are for the sentinels; those of the primary are set separately. With `rediss://` the
    /// connection to the primary uses TLS as well.
    pub fn sentinel<U: Into<String>>(sentinels: impl IntoIterator<Item = U>, name: impl Into<String>) -> Self {
        let urls = sentinels.into_iter().map(Into::into).collect();
        Self::new(Arrangement::Sentinel(urls, name.into()))
    }

    /// Uses the cluster to which the nodes at these URLs belong. One URL is enough; the first one determines the login
    /// and transport for all nodes.
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

    /// Sets the time limit of a call, including connecting and excluding the wait for a lock; the default is 2 seconds.
    ///
    /// A server that closes its connections is noticed at once; one that does not reply, only after this time.
    /// Connecting refuses zero, and more than a century counts as a century.
    ///
    /// After a failed attempt to connect, the whole process waits before the next one: 20 to 40 milliseconds at first,
    /// then twice as long each time, up to half a second or half of this limit, whichever is less. Calls during the
    /// pause wait for the next attempt and share its outcome, so no call fails once the server is back.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the ACL user to log in as, instead of the one in the URL.
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// Sets the password to log in with, instead of the one in the URL.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Asks a provider for the credentials of each new connection, instead of using those that are set or in the URL.
    /// With Sentinel they are those of the primary.
    pub fn credentials(mut self, provider: impl CredentialsProvider) -> Self {
        self.credentials = Some(Arc::new(provider));
        self
    }

    /// Asks a provider for the credentials of each new connection to a sentinel. Has no effect without Sentinel.
    pub fn sentinel_credentials(mut self, provider: impl CredentialsProvider) -> Self {
        self.sentinel_credentials = Some(Arc::new(provider));
        self
    }

    /// Translates the addresses that sentinels and cluster nodes announce, for example behind address translation or in
    /// containers. The function is given host and port as they were announced; `None` leaves them unchanged. Addresses
    /// in URLs are not translated.
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

    /// Sets the number of the database, instead of the one in the URL. A cluster has only number 0.
    pub fn database(mut self, database: i64) -> Self {
        self.database = Some(database);
        self
    }

    /// Sets the number of connections for commands to each server. The default is 1 if the runtime in which the storage
    /// connects has one thread, and 2 if it has more. Connecting refuses zero.
    ///
    /// All threads share them. With two, threads wake each other less often than with one. With more than two, commands
    /// arrive in smaller batches, which costs the server. More are worth a measurement if one server replies with
    /// several threads (`io-threads`) and this process has many.
    ///
    /// A session always uses the same connection. Messages, and writes that wait for replicas, have one more connection
    /// each.
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

    /// Trusts this authority (certificates as PEM) instead of those that the operating system trusts.
    #[cfg(feature = "tls")]
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.root = Some(pem.into());
        self
    }

    /// Presents this certificate (chain as PEM), with this key (PEM), to servers that request one.
    #[cfg(feature = "tls")]
    pub fn client_certificate(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.tls.client = Some((chain.into(), key.into()));
        self
    }

    /// Returns the time limit of a call.
    pub(crate) fn limit(&self) -> Duration {
        self.timeout.min(CENTURY)
    }

    /// Validates the settings. `replication` is added to the time limit of calls that wait for replicas.
    pub(crate) fn prepare(self, replication: Duration) -> Result<TopologyConfig, Failure> {
        let invalid = |what| Failure::Setup((redis::ErrorKind::InvalidClientConfig, what).into());
        let timeout = self.limit();
        if timeout.is_zero() {
            return Err(invalid("a timeout of zero leaves no time for any call"));
        }
        let Some(connections) = NonZeroUsize::new(self.connections.unwrap_or_else(connections)) else {
            return Err(invalid("nothing is sent by no connection"));
        };
        let tls = Arc::new(self.tls);
        let connector = |url: &String| Connector::new(url, timeout, &tls);
        let urls = match &self.arrangement {
            Arrangement::Single(url) => std::slice::from_ref(url),
            Arrangement::Sentinel(urls, _) | Arrangement::Cluster(urls) => urls,
        };
        let mut connectors = urls.iter().map(connector).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = connectors.first() else {
            return Err(invalid("at least one URL is needed"));
        };
        let mut connector = match &self.arrangement {
            Arrangement::Sentinel(..) => first.without_credentials(),
            Arrangement::Single(_) | Arrangement::Cluster(_) => first.clone(),
        };
        for sentinel in &mut connectors {
            sentinel.credentials.clone_from(&self.sentinel_credentials);
        }
        connector.set_login(self.username.as_deref(), self.password.as_deref(), self.database);
        connector.credentials = self.credentials;
        connector.map = self.addresses;
        connector.replication = replication;
        connector.connections = connections;
        Ok(match self.arrangement {
            Arrangement::Single(_) => TopologyConfig::Single(connector),
            Arrangement::Sentinel(_, name) => TopologyConfig::Sentinel {
                sentinels: connectors,
                name,
                primary: connector,
            },
            Arrangement::Cluster(_) => TopologyConfig::Cluster {
                seeds: connectors,
                nodes: connector,
            },
        })
    }
}

/// Returns the default number of connections: enough to keep threads from waking each other often.
fn connections() -> usize {
    Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers().min(2))
}

/// Converts a URL to a single server.
impl From<&str> for RedisServers {
    fn from(url: &str) -> Self {
        Self::single(url)
    }
}

/// Converts a URL to a single server.
impl From<String> for RedisServers {
    fn from(url: String) -> Self {
        Self::single(url)
    }
}

/// Converts a URL to a single server.
impl From<&String> for RedisServers {
    fn from(url: &String) -> Self {
        Self::single(url)
    }
}

/// Omits the URLs, which may contain passwords.
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
