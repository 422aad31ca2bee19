//! [`Connector`]: the settings that all connections to the servers share.

use std::num::NonZeroUsize;
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo};

use super::connection::{Connection, OnPush};
use super::endpoint::Endpoint;
use super::tls::Tls;
use crate::credentials::CredentialsProvider;
use crate::error::Failure;

/// Maps the host and port that a server announces to those at which it can be reached.
pub(crate) type AddressMap = Arc<dyn Fn(&str, u16) -> Option<(String, u16)> + Send + Sync>;

/// Credentials, database, protocol and time limits, which create connections to any server.
#[derive(Clone)]
pub(crate) struct Connector {
    /// The settings of one server. Its address is replaced for each connection.
    template: ConnectionInfo,
    /// The time limit for connecting, and for the reply to a command.
    pub(super) timeout: Duration,
    /// The additional time limit for replies that wait for replicas.
    pub(crate) replication: Duration,
    /// Replaces the credentials of the template, if set.
    pub(crate) credentials: Option<Arc<dyn CredentialsProvider>>,
    /// Translates announced addresses.
    pub(crate) map: Option<AddressMap>,
    tls: Arc<Tls>,
    /// The number of connections for commands to each server.
    pub(crate) connections: NonZeroUsize,
}

impl Connector {
    /// Creates a connector from the address and settings of a URL.
    pub(crate) fn new(url: &str, timeout: Duration, tls: &Arc<Tls>) -> Result<Self, Failure> {
        let info = url.into_connection_info().map_err(Failure::Setup)?;
        tls.check(&info)?;
        // Messages arrive as push messages, which older protocols do not have.
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

    /// Returns a connector with the same settings and no credentials.
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

    /// Returns a connector whose time limit includes that of the replicas.
    pub(crate) fn with_replication_timeout(&self) -> Self {
        Self {
            timeout: self.timeout + self.replication,
            ..self.clone()
        }
    }

    /// Replaces user name, password and database of the URL by those that are given.
    pub(crate) fn set_login(&mut self, username: Option<&str>, password: Option<&str>, database: Option<i64>) {
        let mut settings = self.template.redis_settings().clone();
        if let Some(username) = username {
            settings = settings.set_username(username);
        }
        if let Some(password) = password {
            settings = settings.set_password(password);
        }
        if let Some(database) = database {
            settings = settings.set_db(database);
        }
        self.template = self.template.clone().set_redis_settings(settings);
    }

    /// Returns the address in the URL.
    pub(crate) fn addr(&self) -> ConnectionAddr {
        self.template.addr().clone()
    }

    /// Returns the address of a server that another one has announced. It uses the same transport.
    pub(crate) fn addr_of(&self, host: &str, port: u16) -> ConnectionAddr {
        let elsewhere = self.map.as_ref().and_then(|map| map(host, port));
        let (host, port) = elsewhere.unwrap_or_else(|| (host.to_owned(), port));
        match self.template.addr() {
            ConnectionAddr::TcpTls {
                insecure, tls_params, ..
            } => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => ConnectionAddr::Tcp(host, port),
        }
    }

    /// Creates a connection to the server at this address. It connects when it is first used.
    pub(crate) fn connection(&self, addr: ConnectionAddr, on_push: Option<Weak<dyn OnPush>>) -> Arc<Connection> {
        let endpoint = Endpoint {
            server: self.template.clone().set_addr(addr),
            credentials: self.credentials.clone(),
            tls: Arc::clone(&self.tls),
        };
        Connection::new(endpoint, self.timeout, on_push)
    }
}
