//! [`Dialer`]: everything that all connections have in common.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo};

use super::line::{Line, OnPush};
use super::tls::Tls;
use super::wire::{self, Wire};
use crate::credentials::CredentialsProvider;
use crate::error::Failure;

/// Says where a server is to be reached that calls itself by this host and this port.
pub(crate) type AddressMap = Arc<dyn Fn(&str, u16) -> Option<(String, u16)> + Send + Sync>;

/// Credentials, database, protocol and deadlines, and how to reach a server with them.
#[derive(Clone)]
pub(crate) struct Dialer {
    /// Of some server; the address is replaced by that of the one to reach.
    template: ConnectionInfo,
    timeout: Duration,
    /// How much longer an answer may take that replicas have to give first.
    replication: Duration,
    /// Asked for credentials each time, instead of those of the template.
    credentials: Option<Arc<dyn CredentialsProvider>>,
    map: Option<AddressMap>,
    tls: Arc<Tls>,
    /// How many connections for commands there are to each server.
    connections: NonZeroUsize,
}

/// The way in to one server.
pub(super) struct Door {
    server: ConnectionInfo,
    credentials: Option<Arc<dyn CredentialsProvider>>,
    tls: Arc<Tls>,
}

impl Door {
    pub(super) fn addr(&self) -> &ConnectionAddr {
        self.server.addr()
    }

    /// Connects to it.
    pub(super) async fn open(&self) -> Result<Wire, Failure> {
        wire::open(self.addr(), &self.tls).await
    }

    /// The first commands on a connection, with the credentials of the moment.
    pub(super) async fn settings(&self) -> Result<RedisConnectionInfo, Failure> {
        let mut settings = self.server.redis_settings().clone();
        if let Some(provider) = &self.credentials {
            let credentials = provider.credentials().await.map_err(|error| {
                let kind = ErrorKind::Client;
                Failure::Unreachable((kind, "there are no credentials", error.to_string()).into())
            })?;
            settings = settings.set_password(credentials.password);
            if let Some(username) = credentials.username {
                settings = settings.set_username(username);
            }
        }
        Ok(settings)
    }
}

impl Dialer {
    /// Takes address and settings from a connection URL.
    pub(crate) fn new(url: &str, timeout: Duration, tls: &Arc<Tls>) -> Result<Self, Failure> {
        let info = url.into_connection_info().map_err(Failure::Setup)?;
        tls.check(&info)?;
        // Wake-ups arrive as push messages, which older protocols do not have.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let template = info.set_redis_settings(settings.set_skip_set_lib_name());
        Ok(Self {
            template,
            timeout,
            replication: Duration::ZERO,
            credentials: None,
            map: None,
            tls: Arc::clone(tls),
            connections: NonZeroUsize::MIN,
        })
    }

    /// Reaching servers in the same way, as nobody in particular.
    pub(crate) fn without_credentials(&self) -> Self {
        let settings = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_skip_set_lib_name();
        Self {
            template: self.template.clone().set_redis_settings(settings),
            credentials: None,
            ..self.clone()
        }
    }

    /// Asking for credentials whenever a connection is made.
    pub(crate) fn ask_for_credentials(&mut self, provider: Option<Arc<dyn CredentialsProvider>>) {
        if provider.is_some() {
            self.credentials = provider;
        }
    }

    /// Reaching servers elsewhere than where they say they are.
    pub(crate) fn map_addresses(&mut self, map: Option<AddressMap>) {
        self.map = map;
    }

    /// With this many connections for commands to each server.
    pub(crate) fn connect_by(&mut self, connections: NonZeroUsize) {
        self.connections = connections;
    }

    /// How many connections for commands there are to each server.
    pub(super) fn connections(&self) -> NonZeroUsize {
        self.connections
    }

    /// Giving replicas this much time to answer.
    pub(crate) fn allow_for_replication(&mut self, replication: Duration) {
        self.replication = replication;
    }

    /// Reaching servers in the same way, with more patience.
    pub(crate) fn patient(&self) -> Self {
        Self {
            timeout: self.timeout + self.replication,
            ..self.clone()
        }
    }

    /// With other credentials than those of the URL.
    pub(crate) fn authenticate(&mut self, username: Option<&str>, password: Option<&str>) {
        let mut settings = self.template.redis_settings().clone();
        if let Some(username) = username {
            settings = settings.set_username(username);
        }
        if let Some(password) = password {
            settings = settings.set_password(password);
        }
        self.template = self.template.clone().set_redis_settings(settings);
    }

    /// With another database than that of the URL.
    pub(crate) fn select(&mut self, database: i64) {
        let settings = self.template.redis_settings().clone().set_db(database);
        self.template = self.template.clone().set_redis_settings(settings);
    }

    /// How long a connection may take to be made, and a command to be answered.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The address that the URL names.
    pub(crate) fn addr(&self) -> ConnectionAddr {
        self.template.addr().clone()
    }

    /// The address of a server that another one has named, and that is reached in the same way.
    pub(crate) fn addr_of(&self, host: &str, port: u16) -> ConnectionAddr {
        let elsewhere = self.map.as_ref().and_then(|map| map(host, port));
        let (host, port) = elsewhere
            .as_ref()
            .map_or((host, port), |(host, port)| (host.as_str(), *port));
        match self.template.addr() {
            ConnectionAddr::TcpTls {
                insecure, tls_params, ..
            } => ConnectionAddr::TcpTls {
                host: host.into(),
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => ConnectionAddr::Tcp(host.into(), port),
        }
    }

    /// A line to the server at this address. It is not connected yet.
    pub(crate) fn line(&self, addr: ConnectionAddr, on_push: Option<Weak<dyn OnPush>>) -> Arc<Line> {
        let door = Door {
            server: self.template.clone().set_addr(addr),
            credentials: self.credentials.clone(),
            tls: Arc::clone(&self.tls),
        };
        Line::new(door, self.timeout, on_push)
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("addr", &self.template.addr().to_string())
            .finish_non_exhaustive()
    }
}
