//! TLS with private certificates.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::sync::Arc;

use sessile_core::{Lookup, SessionKey, Storage, StorageErrorKind};
use sessile_lab::redis::RedisServer;
use sessile_redis::{RedisServers, RedisStorage};
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

    /// Issues a certificate for localhost, and returns it with its key.
    fn issue(&self) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
        // With the name of its issuer it would count as self-signed.
        params.distinguished_name.push(rcgen::DnType::CommonName, "localhost");
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// Lets many tasks read at the same time, and returns how many commands the server received with one `read()`, which is
/// never more than one TLS record.
async fn commands_per_record(server: &RedisServer, storage: RedisStorage, session: SessionKey) -> f64 {
    let reads = || {
        server
            .info("stats", "total_reads_processed")
            .unwrap()
            .parse::<f64>()
            .unwrap()
    };
    let (storage, before) = (Arc::new(storage), reads());
    let reading: Vec<_> = (0..32)
        .map(|_| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move {
                for _ in 0..100 {
                    assert_eq!(payload(&storage, &session).await, Lookup::Found("x".into()));
                }
            })
        })
        .collect();
    for task in reading {
        task.await.unwrap();
    }
    3_200.0 / (reads() - before)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
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
    let together = commands_per_record(&server, storage, session).await;
    assert!(together > 8.0, "{together} commands a record");

    // A server that the client does not trust, and a client that the server does not.
    let doubting = RedisServers::single(&url).root_certificate(other.pem);
    let error = RedisStorage::connect(doubting.client_certificate(chain, client_key))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Unavailable, "{error:?}");
    let anonymous = RedisStorage::connect(trusting).await.unwrap_err();
    assert_eq!(anonymous.kind(), StorageErrorKind::Unavailable, "{anonymous:?}");

    // Unusable settings are refused before any connection is made.
    for unusable in [
        RedisServers::single(format!("{url}/#insecure")),
        RedisServers::single(&url).root_certificate("-----BEGIN CERTIFICATE-----\n!"),
        RedisServers::single(&url).client_certificate("", "no key"),
    ] {
        let error = RedisStorage::connect(unusable).await.unwrap_err();
        assert_eq!(error.kind(), StorageErrorKind::Unsupported, "{error:?}");
    }
    drop(server);
    std::fs::remove_dir_all(&folder).unwrap();
}
