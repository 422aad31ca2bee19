//! A record that cannot be read, and a storage that fails in part, are the trouble of no other session.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile_core::{
    EndReason, Intercept, Limit, Operation, OperationOutput, Session, SessionError, SessionKey, Storage, StorageCall,
    StorageError, StorageErrorKind, Visit,
};
use sessile_memory::MemoryStorage;

use crate::world::{World, ended};

/// A storage in which some records cannot be read or locked, for this reason.
#[derive(Debug)]
struct Damaged {
    inner: Arc<MemoryStorage>,
    keys: Mutex<Vec<(SessionKey, StorageErrorKind)>>,
}

impl Damaged {
    fn around(inner: &Arc<MemoryStorage>) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::clone(inner),
            keys: Mutex::default(),
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
        match damaged {
            Some(kind) => Err(StorageError::new(kind, "read", self.inner.name())),
            None => call.run().await,
        }
    }
}

async fn three_logins(session: &Session) -> Vec<SessionKey> {
    let mut keys = Vec::new();
    for _ in 0..3 {
        let finished = session
            .enter(Visit::new(), async { session.log_in("ada") })
            .await
            .unwrap();
        keys.push(finished.outcome.new_id().unwrap().key());
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
    assert!(!world.storage.read(&keys[1]).await.unwrap().is_found());
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
