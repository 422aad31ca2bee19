//! [`Tls`]: the trusted authorities, and the client's certificate.

/// The configured certificates. By default, servers are verified by the authorities that the operating system trusts.
#[derive(Clone, Default)]
pub(crate) struct Tls {
    #[cfg(feature = "tls")]
    pub(crate) root: Option<Vec<u8>>,
    #[cfg(feature = "tls")]
    pub(crate) client: Option<(Vec<u8>, Vec<u8>)>,
}

#[cfg(not(feature = "tls"))]
impl Tls {
    pub(crate) fn check(&self, _info: &redis::ConnectionInfo) -> Result<(), crate::error::Failure> {
        // URLs that require TLS were refused before.
        Ok(())
    }
}

#[cfg(feature = "tls")]
mod handshake {
    use std::fmt::Display;
    use std::io;
    use std::sync::Arc;

    use redis::{ConnectionAddr, ConnectionInfo, ErrorKind};
    use rustls::crypto::{CryptoProvider, ring};
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;

    use super::Tls;
    use crate::error::Failure;

    /// An encrypted stream. Boxed because its state is large, and most streams are of another kind.
    type Secured = Box<TlsStream<TcpStream>>;

    type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

    impl Tls {
        /// Verifies that the certificates can be used, if the URL requires TLS.
        pub(crate) fn check(&self, info: &ConnectionInfo) -> Result<(), Failure> {
            let ConnectionAddr::TcpTls { insecure, .. } = info.addr() else {
                return Ok(());
            };
            if *insecure {
                return Err(unusable("a server that proves nothing is not connected to", ""));
            }
            self.roots().and(self.identity()).map(drop)
        }

        /// Returns the settings of a connection to the server of this name. The certificates of the operating system
        /// are read each time, because they may be replaced while this process runs.
        pub(in crate::net) fn handshake(&self, host: &str) -> Result<Handshake, Failure> {
            let name = ServerName::try_from(host.to_owned());
            let name = name.map_err(|error| unusable("this is not the name of a server", error))?;
            let provider = CryptoProvider::get_default().cloned();
            let provider = provider.unwrap_or_else(|| Arc::new(ring::default_provider()));
            let refused = |error| unusable("TLS cannot be used like this", error);
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(refused)?;
            let roots = self.roots()?.map_or_else(of_the_system, Ok)?;
            let config = config.with_root_certificates(roots);
            let config = match self.identity()? {
                Some((chain, key)) => config.with_client_auth_cert(chain, key).map_err(refused)?,
                None => config.with_no_client_auth(),
            };
            let connector = TlsConnector::from(Arc::new(config));
            Ok(Handshake { connector, name })
        }

        fn roots(&self) -> Result<Option<RootCertStore>, Failure> {
            let Some(pem) = &self.root else { return Ok(None) };
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| unusable("the root certificate is not PEM", error))?;
                let added = roots.add(certificate);
                added.map_err(|error| unusable("the root certificate cannot be used", error))?;
            }
            Ok(Some(roots))
        }

        fn identity(&self) -> Result<Option<Identity>, Failure> {
            let Some((chain, key)) = &self.client else {
                return Ok(None);
            };
            let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
            let chain = chain.map_err(|error| unusable("the client's certificate is not PEM", error))?;
            let key = PrivateKeyDer::from_pem_slice(key);
            let key = key.map_err(|error| unusable("the client's key is not PEM", error))?;
            Ok(Some((chain, key)))
        }
    }

    /// Loads the certificates that the operating system trusts. Unreadable ones are skipped while others remain.
    fn of_the_system() -> Result<RootCertStore, Failure> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        match found.errors.into_iter().next() {
            Some(error) if roots.is_empty() => {
                Err(unusable("the operating system's certificates cannot be read", error))
            }
            _ => Ok(roots),
        }
    }

    fn unusable(what: &'static str, why: impl Display) -> Failure {
        Failure::Setup((ErrorKind::InvalidClientConfig, what, why.to_string()).into())
    }

    /// The settings of an encrypted connection.
    #[derive(Clone)]
    pub(in crate::net) struct Handshake {
        connector: TlsConnector,
        name: ServerName<'static>,
    }

    impl Handshake {
        /// Encrypts the stream, and verifies the server's certificate.
        pub(in crate::net) async fn secure(self, stream: TcpStream) -> io::Result<Secured> {
            Ok(Box::new(self.connector.connect(self.name, stream).await?))
        }
    }
}
