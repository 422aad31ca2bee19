//! Credentials that change while a storage is in use, and the load that wrong ones cause on a server.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sessile_core::{Lookup, Storage, StorageErrorKind};
use sessile_lab::redis::RedisServer;
use sessile_redis::{Credentials, CredentialsProvider, RedisServers, RedisStorage};
use support::{allow, fresh, payload, permissions, record};

/// Provides the current password, if there is one.
#[derive(Clone)]
struct Vault(Arc<Mutex<Option<String>>>);

impl Vault {
    fn with(password: &str) -> Self {
        Self(Arc::new(Mutex::new(Some(password.into()))))
    }

    fn set(&self, password: Option<&str>) {
        *self.0.lock().unwrap() = password.map(Into::into);
    }
}

#[async_trait]
impl CredentialsProvider for Vault {
    async fn credentials(&self) -> Result<Credentials, Box<dyn std::error::Error + Send + Sync>> {
        tokio::task::yield_now().await;
        let password = self.0.lock().unwrap().clone().ok_or("the vault is closed")?;
        Ok(Credentials::new("sessions", password))
    }
}

/// Starts a server with the documented user, and a storage that asks the vault.
async fn setup() -> (RedisServer, Vault, RedisStorage) {
    let server = RedisServer::start();
    allow(&server, &permissions());
    let vault = Vault::with("secret");
    let servers = RedisServers::single(server.url()).credentials(vault.clone());
    let storage = RedisStorage::connect(servers).await.unwrap();
    (server, vault, storage)
}

fn change_password(server: &RedisServer, to: &str) {
    let password = format!(">{to}");
    server.command(&["ACL", "SETUSER", "sessions", "resetpass", &password]);
    server.command(&["CLIENT", "KILL", "USER", "sessions"]);
}

#[tokio::test]
async fn a_changed_password_is_requested_again() {
    let (server, vault, storage) = setup().await;
    let key = fresh();
    storage.create(&key, record(&storage, "x", None)).await.unwrap();
    for password in ["another", "and another"] {
        vault.set(Some(password));
        change_password(&server, password);
        assert_eq!(payload(&storage, &key).await, Lookup::Found("x".into()));
    }
}

#[tokio::test]
async fn without_credentials_a_call_fails_and_the_next_one_asks_again() {
    let (server, vault, storage) = setup().await;
    vault.set(None);
    change_password(&server, "another");
    let error = storage.read(&fresh()).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Unavailable);
    assert!(format!("{error:?}").contains("the vault is closed"), "{error:?}");
    vault.set(Some("wrong"));
    let error = storage.read(&fresh()).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Denied);
    vault.set(Some("another"));
    assert_eq!(storage.read(&fresh()).await.unwrap(), Lookup::Missing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_logins_is_seldom_asked_and_soon_found_open() {
    let server = RedisServer::start();
    allow(&server, &permissions());
    let servers = RedisServers::single(server.url())
        .username("sessions")
        .password("secret");
    let storage = Arc::new(RedisStorage::connect(servers).await.unwrap());
    change_password(&server, "another");
    let connections = || -> u64 {
        let received = server.info("stats", "total_connections_received").unwrap();
        received.trim().parse().unwrap()
    };
    let before = connections();
    let begin = Instant::now();
    let hammer = (0..8).map(|_| {
        let storage = Arc::clone(&storage);
        tokio::spawn(async move {
            while begin.elapsed() < Duration::from_secs(3) {
                let error = storage.read(&fresh()).await.unwrap_err();
                assert_eq!(error.kind(), StorageErrorKind::Denied, "{error:?}");
            }
        })
    });
    for task in hammer.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    // The pauses are 20 milliseconds at first and then grow. The last calls may begin one attempt each.
    let made = connections() - before;
    assert!((2..60).contains(&made), "{made} connections in {:?}", begin.elapsed());

    change_password(&server, "secret");
    assert_eq!(storage.read(&fresh()).await.unwrap(), Lookup::Missing);
}
