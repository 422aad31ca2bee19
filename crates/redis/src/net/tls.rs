//! [`Tls`]: whom to trust, and as whom to appear.

use redis::ConnectionInfo;

use crate::error::Failure;

/// Certificates that were set. Without any, the server's must be one that the operating system trusts.
#[derive(Clone, Default)]
pub(crate) struct Tls {
    #[cfg(feature = "tls")]
    pub(crate) root: Option<Vec<u8>>,
    #[cfg(feature = "tls")]
    pub(crate) client: Option<(Vec<u8>, Vec<u8>)>,
}

#[cfg(not(feature = "tls"))]
impl Tls {
    pub(crate) fn apply(&self, info: ConnectionInfo) -> Result<ConnectionInfo, Failure> {
        Ok(info)
    }
}

#[cfg(feature = "tls")]
impl Tls {
    /// Prepares a connection for TLS, if that is what its URL asks for.
    pub(crate) fn apply(&self, info: ConnectionInfo) -> Result<ConnectionInfo, Failure> {
        use redis::{Client, ClientTlsConfig, ConnectionAddr, TlsCertificates};

        if !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            return Ok(info);
        }
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // The client takes the provider of the process, and panics where there is none. Another thread may have
            // set one meanwhile, and that is as well.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        if self.root.is_none() && self.client.is_none() {
            return Ok(info);
        }
        let client_tls = self.client.clone().map(|(client_cert, client_key)| ClientTlsConfig {
            client_cert,
            client_key,
        });
        let certificates = TlsCertificates {
            client_tls,
            root_cert: self.root.clone(),
        };
        let client = Client::build_with_tls(info, certificates).map_err(Failure::Setup)?;
        Ok(client.get_connection_info().clone())
    }
}
