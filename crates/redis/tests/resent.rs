//! Replies that are lost: a write is recognised as executed, and is executed once.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Lookup, Record, SessionKey, Storage, StorageError, StorageErrorKind};
use sessile_lab::redis::{Proxy, RedisServer};
use sessile_redis::RedisStorage;
use support::{fresh, fresh_pair, payload, record, until};
use tokio::task::JoinHandle;

const MINUTE: Duration = Duration::from_secs(60);

/// A server, and two storages: one on a connection that loses replies on request, one on a good connection.
struct Lossy {
    server: RedisServer,
    proxy: Proxy,
    far: Arc<RedisStorage>,
    near: RedisStorage,
}

impl Lossy {
    async fn start() -> Self {
        let server = RedisServer::start();
        let proxy = Proxy::to(server.port());
        let far = Arc::new(RedisStorage::connect(proxy.url()).await.unwrap());
        let near = RedisStorage::connect(server.url()).await.unwrap();
        // The script is loaded from here on, so the first command that is sent is the one that is executed.
        let (old, new) = fresh_pair();
        near.create(&old, record(&near, "", None)).await.unwrap();
        let mut locked = near.lock(&old, MINUTE).await.unwrap().found().unwrap();
        near.commit(&mut locked.lock, locked.record).await.unwrap();
        let mut locked = near.lock(&old, MINUTE).await.unwrap().found().unwrap();
        near.rotate(&mut locked.lock, &new, locked.record, Duration::ZERO)
            .await
            .unwrap();
        Self {
            server,
            proxy,
            far,
            near,
        }
    }

    /// Lets the server execute a command, loses its reply, runs `meanwhile`, and then breaks the connection.
    async fn lose_the_reply<T: Send + 'static>(
        &self,
        command: &str,
        asked: impl Future<Output = T> + Send + 'static,
        meanwhile: impl AsyncFnOnce(),
    ) -> T {
        let before = self.server.calls(command);
        self.proxy.lose_replies();
        let asked: JoinHandle<T> = tokio::spawn(asked);
        until("done by the server", || self.server.calls(command) > before).await;
        meanwhile().await;
        self.proxy.heal();
        asked.await.unwrap()
    }

    async fn commit(&self, key: SessionKey, text: &str, meanwhile: impl AsyncFnOnce()) -> Result<(), StorageError> {
        let far = Arc::clone(&self.far);
        let mut locked = far.lock(&key, MINUTE).await.unwrap().found().unwrap();
        let record = record(&far, text, Some(MINUTE));
        let asked = async move { far.commit(&mut locked.lock, record).await };
        self.lose_the_reply("evalsha", asked, meanwhile).await
    }

    async fn rotate(
        &self,
        (old, new): (SessionKey, SessionKey),
        grace: Duration,
        meanwhile: impl AsyncFnOnce(),
    ) -> Result<(), StorageError> {
        let far = Arc::clone(&self.far);
        let mut locked = far.lock(&old, MINUTE).await.unwrap().found().unwrap();
        let record = record(&far, "moved", Some(MINUTE));
        let asked = async move { far.rotate(&mut locked.lock, &new, record, grace).await };
        self.lose_the_reply("evalsha", asked, meanwhile).await
    }

    async fn create(&self, key: SessionKey, meanwhile: impl AsyncFnOnce()) -> Result<(), StorageError> {
        let far = Arc::clone(&self.far);
        let record: Record = record(&far, "new", Some(MINUTE));
        let asked = async move { far.create(&key, record).await };
        self.lose_the_reply("set", asked, meanwhile).await
    }

    /// Replaces the record as it is now, and loses the reply of the command by which the server does so.
    async fn replace(&self, key: SessionKey, text: &str, meanwhile: impl AsyncFnOnce()) -> Result<bool, StorageError> {
        let far = Arc::clone(&self.far);
        // The time is known, and so is the support for conditional SET, so exactly one command is sent.
        let locked = far.lock(&key, MINUTE).await.unwrap().found().unwrap();
        far.release(locked.lock).await.unwrap();
        let other = fresh();
        self.begin(&other).await;
        let known = far.read(&other).await.unwrap().found().unwrap();
        assert!(far.replace(&known, known.record.clone()).await.unwrap());
        let known = far.read(&key).await.unwrap().found().unwrap();
        let mut next = record(&far, text, Some(MINUTE));
        next.meta.version = known.record.meta.version + 1;
        let asked = async move { far.replace(&known, next).await };
        self.lose_the_reply("set", asked, meanwhile).await
    }

    /// Creates a session without losing a reply.
    async fn begin(&self, key: &SessionKey) {
        let first = record(&self.near, "one", Some(MINUTE));
        self.near.create(key, first).await.unwrap();
    }

    async fn change(&self, key: &SessionKey, text: &str) {
        let mut locked = self.near.lock(key, MINUTE).await.unwrap().found().unwrap();
        let mut record = record(&self.near, text, Some(MINUTE));
        record.meta.version = locked.record.meta.version + 1;
        self.near.commit(&mut locked.lock, record).await.unwrap();
    }
}

async fn nothing() {}

/// Asserts that the outcome is ambiguous, and why.
fn is_ambiguous(outcome: Result<(), StorageError>) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Unavailable, "{error:?}");
}

#[tokio::test]
async fn a_commit_whose_reply_is_lost_succeeds_and_is_written_once() {
    let lossy = Lossy::start().await;
    let key = fresh();
    lossy.begin(&key).await;
    lossy.commit(key, "two", nothing).await.unwrap();
    assert_eq!(payload(&lossy.near, &key).await, Lookup::Found("two".into()));
    // The lock was released, and the next writer is not mistaken for this one.
    lossy.change(&key, "three").await;
    lossy.commit(key, "four", nothing).await.unwrap();
    assert_eq!(payload(&lossy.near, &key).await, Lookup::Found("four".into()));
}

#[tokio::test]
async fn a_commit_that_never_arrived_is_sent_again() {
    let lossy = Lossy::start().await;
    let key = fresh();
    lossy.begin(&key).await;
    let mut locked = lossy.far.lock(&key, MINUTE).await.unwrap().found().unwrap();
    lossy.proxy.go_silent();
    let far = Arc::clone(&lossy.far);
    let next = record(&far, "two", Some(MINUTE));
    let asked = tokio::spawn(async move { far.commit(&mut locked.lock, next).await });
    until("sent", || !lossy.proxy.commands().is_empty()).await;
    lossy.proxy.heal();
    asked.await.unwrap().unwrap();
    assert_eq!(payload(&lossy.near, &key).await, Lookup::Found("two".into()));
}

#[tokio::test]
async fn a_commit_is_ambiguous_and_not_lost_after_other_writes() {
    let lossy = Lossy::start().await;
    let key = fresh();
    lossy.begin(&key).await;
    is_ambiguous(
        lossy
            .commit(key, "two", async || lossy.change(&key, "three").await)
            .await,
    );
    assert_eq!(payload(&lossy.near, &key).await, Lookup::Found("three".into()));
    let ended = async || assert!(lossy.near.destroy(&key).await.unwrap().is_found());
    is_ambiguous(lossy.commit(key, "four", ended).await);
    assert_eq!(payload(&lossy.near, &key).await, Lookup::Missing);
}

#[tokio::test]
async fn a_rotation_whose_reply_is_lost_succeeds() {
    let lossy = Lossy::start().await;
    for grace in [Duration::ZERO, MINUTE] {
        let (old, new) = fresh_pair();
        lossy.begin(&old).await;
        lossy.rotate((old, new), grace, nothing).await.unwrap();
        assert_eq!(payload(&lossy.near, &new).await, Lookup::Found("moved".into()));
        // The tombstone or alias identifies it, whatever was written under the new key since.
        let (old, new) = fresh_pair();
        lossy.begin(&old).await;
        let changed = async || lossy.change(&new, "changed").await;
        lossy.rotate((old, new), grace, changed).await.unwrap();
        assert_eq!(payload(&lossy.near, &new).await, Lookup::Found("changed".into()));
    }
}

#[tokio::test]
async fn a_rotation_is_ambiguous_when_the_session_has_ended_since() {
    let lossy = Lossy::start().await;
    let near = RedisStorage::builder(lossy.server.url()).tombstone_ttl(Duration::ZERO);
    let (near, far) = (near.connect().await.unwrap(), RedisStorage::builder(lossy.proxy.url()));
    let lossy = Lossy {
        near,
        far: Arc::new(far.tombstone_ttl(Duration::ZERO).connect().await.unwrap()),
        ..lossy
    };
    let (old, new) = fresh_pair();
    lossy.begin(&old).await;
    lossy.rotate((old, new), Duration::ZERO, nothing).await.unwrap();

    let (old, new) = fresh_pair();
    lossy.begin(&old).await;
    let ended = async || assert_eq!(lossy.near.destroy(&new).await.unwrap(), Lookup::Found(()));
    is_ambiguous(lossy.rotate((old, new), Duration::ZERO, ended).await);
    assert_eq!(payload(&lossy.near, &new).await, Lookup::Missing);
}

#[tokio::test]
async fn a_creation_whose_reply_is_lost_succeeds() {
    let lossy = Lossy::start().await;
    let key = fresh();
    lossy.create(key, nothing).await.unwrap();
    assert_eq!(payload(&lossy.near, &key).await, Lookup::Found("new".into()));
    // Later changes are kept, and the outcome is ambiguous.
    let key = fresh();
    is_ambiguous(lossy.create(key, async || lossy.change(&key, "changed").await).await);
    assert_eq!(payload(&lossy.near, &key).await, Lookup::Found("changed".into()));
    // A key that was taken before is refused.
    let error = lossy.far.create(&key, record(&lossy.far, "x", None)).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Exists);
}

#[tokio::test]
async fn a_replacement_whose_reply_is_lost_is_written_once() {
    let lossy = Lossy::start().await;
    let key = fresh();
    lossy.begin(&key).await;
    for text in ["two", "three"] {
        assert!(lossy.replace(key, text, nothing).await.unwrap());
        assert_eq!(payload(&lossy.near, &key).await, Lookup::Found(text.into()));
        lossy.change(&key, "between").await;
    }
    // The token identifies the write even if the record was locked or marked since.
    let held = async || {
        let locked = lossy.near.lock(&key, MINUTE).await.unwrap().found().unwrap();
        std::mem::forget(locked);
        let name = lossy
            .server
            .command(&["KEYS", &format!("*{}", key.to_string().split_once(':').unwrap().1)]);
        let name = name.items()[0].text();
        let last = match lossy.server.command(&["GETRANGE", &name, "48", "48"]) {
            sessile_lab::redis::Reply::Text(last) => last[0],
            other => panic!("{other:?}"),
        };
        lossy
            .server
            .command_bytes(&[b"SETRANGE", name.as_bytes(), b"48", &[last | 1]]);
    };
    assert!(lossy.replace(key, "four", held).await.unwrap());
    assert_eq!(payload(&lossy.near, &key).await, Lookup::Found("four".into()));
}

#[tokio::test]
async fn a_replacement_is_ambiguous_after_other_writes_and_does_not_overwrite_them() {
    let lossy = Lossy::start().await;
    let key = fresh();
    lossy.begin(&key).await;
    let changed = async || lossy.change(&key, "three").await;
    is_ambiguous(lossy.replace(key, "two", changed).await.map(|_| ()));
    assert_eq!(payload(&lossy.near, &key).await, Lookup::Found("three".into()));
    let ended = async || assert!(lossy.near.destroy(&key).await.unwrap().is_found());
    is_ambiguous(lossy.replace(key, "four", ended).await.map(|_| ()));
    assert_eq!(payload(&lossy.near, &key).await, Lookup::Missing);
}

#[tokio::test]
async fn a_replacement_that_never_arrived_is_sent_again() {
    let lossy = Lossy::start().await;
    let key = fresh();
    lossy.begin(&key).await;
    let known = lossy.far.read(&key).await.unwrap().found().unwrap();
    lossy.proxy.go_silent();
    let far = Arc::clone(&lossy.far);
    let mut next = record(&far, "two", Some(MINUTE));
    next.meta.version = known.record.meta.version + 1;
    let asked = tokio::spawn(async move { far.replace(&known, next).await });
    until("sent", || !lossy.proxy.commands().is_empty()).await;
    lossy.proxy.heal();
    assert!(asked.await.unwrap().unwrap());
    assert_eq!(payload(&lossy.near, &key).await, Lookup::Found("two".into()));
}

/// The result of the second call is not withheld.
#[tokio::test]
async fn a_retried_commit_that_was_done_without_replicas_falls_short() {
    let lossy = Lossy::start().await;
    let far = RedisStorage::builder(lossy.proxy.url()).durable(1, Duration::from_millis(200));
    let far = Arc::new(far.durable_commits().connect().await.unwrap());
    // Writes that wait for replicas have a connection of their own, which exists from here on.
    far.create(&fresh(), record(&far, "x", None)).await.unwrap_err();
    let lossy = Lossy { far, ..lossy };
    let key = fresh();
    lossy.begin(&key).await;
    let error = lossy.commit(key, "two", nothing).await.unwrap_err();
    assert!(
        std::error::Error::source(&error)
            .unwrap()
            .is::<sessile_redis::ReplicationShortfall>(),
        "{error:?}"
    );
    assert_eq!(payload(&lossy.near, &key).await, Lookup::Found("two".into()));
}
