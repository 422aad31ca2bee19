//! TLS, with certificates of one's own.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use sessile_core::{Lookup, Storage, StorageErrorKind};
use sessile_redis::{RedisServers, RedisStorage};
use sessile_testkit::redis::RedisServer;
use support::{fresh, payload, record};

struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: rcgen::Issuer::new(params, key),
            pem,
        }
    }

    /// A certificate for localhost, and its key.
    fn issue(&self) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
        // By the same name as its issuer it would be taken for its own.
        params.distinguished_name.push(rcgen::DnType::CommonName, "localhost");
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

#[tokio::test]
async fn servers_and_clients_prove_who_they_are() {
    let (authority, other) = (Authority::new(), Authority::new());
    let folder = std::env::temp_dir().join(format!("sessile-redis-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (certificate, key) = authority.issue();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let server = RedisServer::start_with(&[
        &format!("tls-port {port}"),
        &format!("tls-cert-file {}", write("cert", &certificate)),
        &format!("tls-key-file {}", write("key", &key)),
        &format!("tls-ca-cert-file {}", write("ca", &authority.pem)),
        "tls-auth-clients yes",
    ]);
    let url = format!("rediss://localhost:{port}");
    let (chain, client_key) = authority.issue();

    let trusting = RedisServers::single(&url).root_certificate(authority.pem.clone());
    let known = trusting.clone().client_certificate(chain.clone(), client_key.clone());
    let storage = RedisStorage::connect(known).await.unwrap();
    let session = fresh();
    storage.create(&session, record(&storage, "x", None)).await.unwrap();
    assert_eq!(payload(&storage, &session).await, Lookup::Found("x".into()));

    // A server that one does not trust, and a client that the server does not.
    let doubting = RedisServers::single(&url).root_certificate(other.pem);
    let error = RedisStorage::connect(doubting.client_certificate(chain, client_key))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Unavailable, "{error:?}");
    let nobody = RedisStorage::connect(trusting).await.unwrap_err();
    assert_eq!(nobody.kind(), StorageErrorKind::Unavailable, "{nobody:?}");
    drop(server);
    std::fs::remove_dir_all(&folder).unwrap();
}
