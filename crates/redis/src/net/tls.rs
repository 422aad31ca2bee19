//! [`Tls`]: whom to trust, and as whom to appear.

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
    pub(crate) fn check(&self, _info: &redis::ConnectionInfo) -> Result<(), crate::error::Failure> {
        // A URL that asks for it has been refused already.
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

    /// A stream that others cannot read. Its state is large, and most streams are not of this kind.
    type Secured = Box<TlsStream<TcpStream>>;

    type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

    impl Tls {
        /// Makes sure that what was set can be used, if TLS is what the URL asks for.
        pub(crate) fn check(&self, info: &ConnectionInfo) -> Result<(), Failure> {
            let ConnectionAddr::TcpTls { insecure, .. } = info.addr() else {
                return Ok(());
            };
            if *insecure {
                return Err(unusable("a server that proves nothing is not connected to", ""));
            }
            self.roots().and(self.identity()).map(drop)
        }

        /// What is needed to connect to the server of this name. Certificates of the operating system are read each
        /// time, as they may be replaced while this process runs.
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

    /// The certificates that the operating system trusts. One that cannot be read is no reason to do without the others.
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

    /// The settings that secure a stream.
    #[derive(Clone)]
    pub(in crate::net) struct Handshake {
        connector: TlsConnector,
        name: ServerName<'static>,
    }

    impl Handshake {
        /// Makes sure who the server is, and that nobody else listens.
        pub(in crate::net) async fn secure(self, stream: TcpStream) -> io::Result<Secured> {
            Ok(Box::new(self.connector.connect(self.name, stream).await?))
        }
    }
}
