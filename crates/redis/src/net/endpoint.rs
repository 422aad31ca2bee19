//! [`Endpoint`]: one server, the means to log in, and the stream beneath a connection to it. The stream is opened here
//! so that writes can be coalesced.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use redis::{ConnectionAddr, ConnectionInfo, ErrorKind, RedisConnectionInfo, RedisError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use super::tls::Tls;
use crate::credentials::CredentialsProvider;
use crate::error::Failure;

/// The address of one server, and the means to log in.
pub(super) struct Endpoint {
    pub(super) server: ConnectionInfo,
    pub(super) credentials: Option<Arc<dyn CredentialsProvider>>,
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "servers are not verified"))]
    pub(super) tls: Arc<Tls>,
}

impl Endpoint {
    /// Opens a byte stream to the server.
    pub(super) async fn open(&self) -> Result<ByteStream, Failure> {
        match self.server.addr() {
            ConnectionAddr::Tcp(host, port) => {
                let stream = first(host, *port, connect).await;
                Ok(Box::new(stream.map_err(unreachable)?))
            }
            #[cfg(feature = "tls")]
            ConnectionAddr::TcpTls { host, port, .. } => {
                let handshake = self.tls.handshake(host)?;
                let stream = first(host, *port, move |addr| {
                    let handshake = handshake.clone();
                    async move { handshake.secure(connect(addr).await?).await }
                });
                Ok(Box::new(stream.await.map_err(unreachable)?))
            }
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => Ok(Box::new(UnixStream::connect(path).await.map_err(unreachable)?)),
            _ => Err(unreachable(io::ErrorKind::Unsupported.into())),
        }
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

/// A byte stream to a server, over any transport.
pub(super) type ByteStream = Box<dyn Duplex>;

/// A stream that can be read from and written to.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

fn unreachable(error: io::Error) -> Failure {
    Failure::Unreachable(RedisError::from(error))
}

async fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(addr).await?;
    // Commands are combined into writes above this stream.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Tries all addresses of a host name at once, and returns the first stream that opens: one of the addresses may not
/// respond.
async fn first<T, F>(host: &str, port: u16, reach: impl Fn(SocketAddr) -> F) -> io::Result<T>
where
    T: Send + 'static,
    F: Future<Output = io::Result<T>> + Send + 'static,
{
    let mut attempts = JoinSet::new();
    for addr in tokio::net::lookup_host((host, port)).await? {
        attempts.spawn(reach(addr));
    }
    let mut error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    while let Some(outcome) = attempts.join_next().await {
        match outcome {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(other)) => error = other,
            Err(gone) => error = io::Error::other(gone),
        }
    }
    Err(error)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_address_that_works_is_found_among_those_that_do_not() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // If the name has only one address, the first one works.
        let stream = first("localhost", port, connect).await.unwrap();
        assert!(stream.nodelay().unwrap());
        drop(listener);
        let refused = first("localhost", port, connect).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let unknown = first("no-such-name.invalid", port, connect).await;
        unknown.unwrap_err();
    }
}
