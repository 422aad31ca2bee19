//! [`Endpoint`]: the address of one server, and the means to log in.

use std::sync::Arc;

use redis::{ConnectionAddr, ConnectionInfo, ErrorKind, RedisConnectionInfo};

use super::stream::{self, ByteStream};
use super::tls::Tls;
use crate::credentials::CredentialsProvider;
use crate::error::Failure;

/// The address of one server, and the means to log in.
pub(super) struct Endpoint {
    pub(super) server: ConnectionInfo,
    pub(super) credentials: Option<Arc<dyn CredentialsProvider>>,
    pub(super) tls: Arc<Tls>,
}

impl Endpoint {
    pub(super) fn addr(&self) -> &ConnectionAddr {
        self.server.addr()
    }

    /// Opens a byte stream to the server.
    pub(super) async fn open(&self) -> Result<ByteStream, Failure> {
        stream::open(self.addr(), &self.tls).await
    }

    /// Returns the settings for the first commands on a connection, with the credentials of the moment.
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
