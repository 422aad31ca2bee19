//! A record that cannot be read, and a storage that fails in part, are the trouble of no other session.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile_core::{
    EndReason, Intercept, Limit, Operation, OperationOutput, Session, SessionError, SessionId, SessionKey, Storage,
    StorageCall, StorageError, StorageErrorKind, Visit,
};
use sessile_memory::MemoryStorage;

use crate::world::{World, ended};

/// A storage in which some records cannot be read or locked, for this reason.
#[derive(Debug)]
struct Damaged {
    inner: Arc<MemoryStorage>,
    keys: Mutex<Vec<(SessionKey, StorageErrorKind)>>,
    /// `true` if nothing can be created.
    is_full: AtomicBool,
}

impl Damaged {
    fn around(inner: &Arc<MemoryStorage>) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::clone(inner),
            keys: Mutex::default(),
            is_full: AtomicBool::new(false),
        })
    }

    fn damage(&self, key: SessionKey, kind: StorageErrorKind) {
        self.keys.lock().unwrap().push((key, kind));
    }
}

impl Intercept for Damaged {
    type Inner = MemoryStorage;

    fn inner(&self) -> &MemoryStorage {
        &self.inner
    }

    async fn around<T: OperationOutput>(&self, call: StorageCall<'_, T>) -> Result<T, StorageError> {
        let is_lookup = matches!(call.operation(), Operation::Read | Operation::Lock);
        let damaged = call.key().filter(|_| is_lookup).and_then(|key| {
            let keys = self.keys.lock().unwrap();
            keys.iter().find(|(damaged, _)| damaged == key).map(|(_, kind)| *kind)
        });
        if call.operation() == Operation::Create && self.is_full.load(Ordering::SeqCst) {
            return Err(StorageError::new(StorageErrorKind::Full, "create", self.inner.name()));
        }
        if call.operation() == Operation::Destroy {
            self.keys.lock().unwrap().retain(|(key, _)| call.key() != Some(key));
        }
        match damaged {
            Some(kind) => Err(StorageError::new(kind, "read", self.inner.name())),
            None => call.run().await,
        }
    }
}

async fn log_in(session: &Session) -> SessionId {
    let finished = session.enter(Visit::new(), async { session.log_in("ada") });
    finished.await.unwrap().outcome.new_id().unwrap()
}

async fn three_logins(session: &Session) -> Vec<SessionKey> {
    let mut keys = Vec::new();
    for _ in 0..3 {
        keys.push(log_in(session).await.key());
    }
    keys
}

#[tokio::test(start_paused = true)]
async fn all_sessions_of_an_owner_end_although_one_cannot_be_read() {
    let world = World::new(|builder| builder);
    let damaged = Damaged::around(&world.storage);
    let (session, seen) = World::process(&damaged, |builder| builder);
    let keys = three_logins(&session).await;
    damaged.damage(keys[0], StorageErrorKind::Corrupt);
    let registry = session.registry();
    let listed = registry.by_owner("ada").await.unwrap();
    assert_eq!(listed.iter().map(|info| info.key).collect::<Vec<_>>(), keys[1..]);
    seen.lock().unwrap().clear();
    assert_eq!(registry.end_all("ada").await.unwrap(), 3);
    assert_eq!(*seen.lock().unwrap(), vec![ended(EndReason::Operator, "ada"); 3]);
    for key in keys {
        assert!(!world.storage.read(&key).await.unwrap().is_found());
    }
    assert_eq!(registry.audit().await.unwrap().missing, 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_be_read_can_be_ended_and_makes_room() {
    let world = World::new(|builder| builder);
    let damaged = Damaged::around(&world.storage);
    let limit = Limit::per_owner(3).evict_oldest();
    let (session, _) = World::process(&damaged, |builder| builder.limit(limit));
    let keys = three_logins(&session).await;
    damaged.damage(keys[0], StorageErrorKind::Corrupt);
    damaged.damage(keys[1], StorageErrorKind::Corrupt);
    session
        .enter(Visit::new(), async { session.log_in("ada") })
        .await
        .unwrap();
    assert!(
        !world.storage.read(&keys[0]).await.unwrap().is_found(),
        "the oldest has made room"
    );
    assert!(session.registry().end(&keys[1]).await.unwrap());
    assert_eq!(session.registry().get(&keys[1]).await.unwrap(), None);
}

/// Nothing is known of it but its key, and its end is told all the same.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_session_that_cannot_be_read_is_reported_at_once() {
    for kind in [StorageErrorKind::Corrupt, StorageErrorKind::Unavailable] {
        let world = World::new(|builder| builder);
        let damaged = Damaged::around(&world.storage);
        let (session, seen) = World::process(&damaged, |builder| builder);
        let id = log_in(&session).await;
        damaged.damage(id.key(), kind);
        seen.lock().unwrap().clear();
        let ended_by_client = session.init(Visit::from(id), session.destroy());
        ended_by_client.await.unwrap().unwrap();
        assert_eq!(*seen.lock().unwrap(), [ended(EndReason::Asked, "ada")]);
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert_eq!(session.registry().maintain_once().await.unwrap(), 0);
    }
    let world = World::new(|builder| builder);
    let damaged = Damaged::around(&world.storage);
    let (session, seen) = World::process(&damaged, |builder| builder);
    let id = log_in(&session).await;
    damaged.damage(id.key(), StorageErrorKind::Corrupt);
    seen.lock().unwrap().clear();
    assert!(session.registry().end(&id.key()).await.unwrap());
    assert_eq!(*seen.lock().unwrap(), [ended(EndReason::Operator, "ada")]);
}

/// It is looked for under its former key first, which nothing leads from any more.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_moved_session_that_cannot_be_read_is_reported_at_once() {
    let world = World::new(|builder| builder);
    let damaged = Damaged::around(&world.storage);
    let (session, seen) = World::process(&damaged, |builder| builder);
    let id = log_in(&session).await;
    let moved = session.enter(Visit::from(id), async { session.regenerate_id() });
    let moved = moved.await.unwrap().outcome.new_id().unwrap();
    tokio::time::sleep(Duration::from_secs(61)).await;
    damaged.damage(moved.key(), StorageErrorKind::Corrupt);
    seen.lock().unwrap().clear();
    assert_eq!(session.registry().end_all("ada").await.unwrap(), 1);
    assert_eq!(*seen.lock().unwrap(), [ended(EndReason::Operator, "ada")]);
}

/// On a full storage no barrier can be created for a session that may be about to be.
#[tokio::test(start_paused = true)]
async fn a_full_storage_keeps_no_other_session_alive() {
    let world = World::new(|builder| builder);
    let damaged = Damaged::around(&world.storage);
    let (session, seen) = World::process(&damaged, |builder| builder);
    let keys = three_logins(&session).await;
    world.storage.destroy(&keys[0]).await.unwrap();
    damaged.is_full.store(true, Ordering::SeqCst);
    seen.lock().unwrap().clear();
    let registry = session.registry();
    let failed = registry.end_all("ada").await;
    assert!(matches!(failed, Err(SessionError::Storage(_))), "{failed:?}");
    assert_eq!(*seen.lock().unwrap(), vec![ended(EndReason::Operator, "ada"); 2]);
    for key in &keys {
        assert!(!world.storage.read(key).await.unwrap().is_found());
    }
    damaged.is_full.store(false, Ordering::SeqCst);
    assert_eq!(registry.end_all("ada").await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_round_goes_on_where_one_server_is_down() {
    let world = World::new(|builder| builder);
    let damaged = Damaged::around(&world.storage);
    let (session, seen) = World::process(&damaged, |builder| builder);
    let keys = three_logins(&session).await;
    // The server of the first watchlist is down, and one of the sessions that are due cannot be read.
    damaged.damage(SessionKey::derive("watchlist", "0"), StorageErrorKind::Unavailable);
    damaged.damage(keys[1], StorageErrorKind::Corrupt);
    seen.lock().unwrap().clear();
    tokio::time::sleep(Duration::from_secs(101)).await;
    let failed = session.registry().maintain_once().await;
    assert!(matches!(failed, Err(SessionError::Storage(_))), "{failed:?}");
    assert_eq!(*seen.lock().unwrap(), vec![ended(EndReason::Expired, "ada"); 2]);
}
