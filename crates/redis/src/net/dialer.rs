//! [`Dialer`]: everything that all connections have in common.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo};

use super::line::{Line, OnPush};
use crate::error::Failure;

/// Credentials, database, protocol and deadlines, and how to reach a server with them.
#[derive(Clone)]
pub(crate) struct Dialer {
    settings: RedisConnectionInfo,
    timeout: Duration,
}

impl Dialer {
    /// Takes the settings from a connection URL.
    pub(crate) fn new(url: &str, timeout: Duration) -> Result<(Self, ConnectionAddr), Failure> {
        let info = url.into_connection_info().map_err(Failure::Unreachable)?;
        // Wake-ups arrive as push messages, which older protocols do not have.
        let settings = info
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP3)
            .set_lib_name("sessile", env!("CARGO_PKG_VERSION"));
        Ok((Self { settings, timeout }, info.addr().clone()))
    }

    /// With other credentials than those of the URL.
    pub(crate) fn authenticate(&mut self, username: Option<&str>, password: Option<&str>) {
        if let Some(username) = username {
            self.settings = self.settings.clone().set_username(username);
        }
        if let Some(password) = password {
            self.settings = self.settings.clone().set_password(password);
        }
    }

    /// With another database than that of the URL.
    pub(crate) fn select(&mut self, database: i64) {
        self.settings = self.settings.clone().set_db(database);
    }

    /// A line to the server at this address. It is not connected yet.
    pub(crate) fn line(&self, addr: ConnectionAddr, on_push: Option<Weak<dyn OnPush>>) -> Result<Arc<Line>, Failure> {
        let info: ConnectionInfo = addr.into_connection_info().map_err(Failure::Unreachable)?;
        let info = info
            .set_tcp_settings(TcpSettings::default().set_nodelay(true))
            .set_redis_settings(self.settings.clone());
        let client = Client::open(info).map_err(Failure::Unreachable)?;
        Ok(Line::new(client, self.timeout, on_push))
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
