//! Events between two calls to the parts: the lock fails, or the session ends, moves or is touched.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Clock, DEFAULT_LEASE, Lock, LockId, LockToken, LockedStore, Locks, Lookup, ManualClock, OsEntropy, SessionKey,
    Storage, StorageError, StorageErrorKind, Timestamp, TokioClock, Unlock,
};

use crate::support::{HOUR, MapStore, Setup, expect_ready, key, keys, locked, next};

/// Locks that exclude no caller, as if each lock were lost as soon as it is taken.
#[derive(Debug)]
struct Permissive(TokioClock);

struct NoUnlock;

impl Unlock for NoUnlock {
    fn unlock(&self, _: LockId) {}
}

#[async_trait]
impl Locks for Permissive {
    fn clock(&self) -> &dyn Clock {
        &self.0
    }

    async fn acquire(&self, key: &SessionKey, _: Duration) -> Result<Lock, StorageError> {
        let token = LockToken::generate(&OsEntropy);
        Ok(Lock::new(LockId::new(*key, token), HOUR, Arc::new(NoUnlock)))
    }

    async fn renew(&self, _: &LockId) -> Result<(), StorageError> {
        Ok(())
    }

    async fn release(&self, _: Lock) -> Result<(), StorageError> {
        Ok(())
    }
}

fn kind<T>(result: Result<T, StorageError>) -> Option<StorageErrorKind> {
    result.err().map(|error| error.kind())
}

/// Creates a storage whose locks exclude no caller, with a session in it.
async fn without_locks() -> (LockedStore<MapStore, Permissive>, SessionKey) {
    let storage = LockedStore::new(MapStore::default(), Permissive(TokioClock::start()));
    let key = key();
    let record = Setup::new().record("0");
    storage.create(&key, record).await.unwrap();
    (storage, key)
}

#[tokio::test]
async fn one_of_two_holders_of_a_lock_is_refused() {
    let (storage, key) = without_locks().await;
    let [mut first, mut second] = [locked(&storage, &key).await, locked(&storage, &key).await];
    storage
        .commit(&mut first.lock, next(&first.record, "first"))
        .await
        .unwrap();
    let late = storage.commit(&mut second.lock, next(&second.record, "second")).await;
    assert_eq!(kind(late), Some(StorageErrorKind::LockLost));
    assert_eq!(
        storage.read(&key).await.unwrap().found().unwrap().record.payload,
        "first"
    );
}

/// The writer counts the version of a record. A writer that forgets to is detected nevertheless.
#[tokio::test]
async fn one_of_two_holders_is_refused_even_without_new_record_versions() {
    let (storage, key) = without_locks().await;
    let [mut first, mut second] = [locked(&storage, &key).await, locked(&storage, &key).await];
    first.record.payload = "first".into();
    storage.commit(&mut first.lock, first.record).await.unwrap();
    // The touch makes the holder reload the version, which must not make another's write its own.
    storage.touch(&key, 1, None, storage.clock().now()).await.unwrap();
    second.record.payload = "second".into();
    let late = storage.commit(&mut second.lock, second.record).await;
    assert_eq!(kind(late), Some(StorageErrorKind::LockLost));
    assert_eq!(
        storage.read(&key).await.unwrap().found().unwrap().record.payload,
        "first"
    );
}

#[tokio::test]
async fn one_of_two_holders_that_rotate_is_refused() {
    let (storage, _) = without_locks().await;
    let [old, here, there] = keys();
    storage.create(&old, Setup::new().record("0")).await.unwrap();
    let [mut first, mut second] = [locked(&storage, &old).await, locked(&storage, &old).await];
    let record = next(&first.record, "1");
    storage
        .rotate(&mut first.lock, &here, record.clone(), Duration::ZERO)
        .await
        .unwrap();
    let late = storage.rotate(&mut second.lock, &there, record, Duration::ZERO).await;
    assert_eq!(kind(late), Some(StorageErrorKind::Superseded));
    assert_eq!(storage.read(&there).await.unwrap(), Lookup::Missing);
}

/// Fifty visits believe that they hold the lock: the stored count is the number of acknowledged writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_locks_no_update_is_lost() {
    let (storage, key) = without_locks().await;
    let visits = (0..50).map(|_| {
        let storage = storage.clone();
        tokio::spawn(async move {
            let mut held = locked(&storage, &key).await;
            tokio::task::yield_now().await;
            let mut record = next(&held.record, "");
            let count: u32 = std::str::from_utf8(&held.record.payload).unwrap().parse().unwrap();
            record.payload = (count + 1).to_string().into();
            storage.commit(&mut held.lock, record).await.is_ok()
        })
    });
    let mut acknowledged = 0;
    for visit in visits.collect::<Vec<_>>() {
        acknowledged += u32::from(visit.await.unwrap());
    }
    let stored = storage.read(&key).await.unwrap().found().unwrap();
    assert_eq!(stored.record.payload, acknowledged.to_string());
    assert!(acknowledged >= 1);
}

/// Locks that report every lock as lost when it is renewed.
#[derive(Debug)]
struct AlwaysLost(Permissive);

#[async_trait]
impl Locks for AlwaysLost {
    fn clock(&self) -> &dyn Clock {
        self.0.clock()
    }

    async fn acquire(&self, key: &SessionKey, wait: Duration) -> Result<Lock, StorageError> {
        self.0.acquire(key, wait).await
    }

    async fn renew(&self, _: &LockId) -> Result<(), StorageError> {
        Err(StorageError::new(StorageErrorKind::LockLost, "renew", "forgetful"))
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        self.0.release(lock).await
    }
}

#[tokio::test]
async fn a_lock_that_the_locks_have_lost_is_lost() {
    let storage = LockedStore::new(MapStore::default(), AlwaysLost(Permissive(TokioClock::start())));
    let key = key();
    storage.create(&key, Setup::new().record("0")).await.unwrap();
    let mut held = locked(&storage, &key).await;
    let renewed = storage.renew(&held.lock.id()).await;
    assert_eq!(kind(renewed), Some(StorageErrorKind::LockLost));
    let late = storage.commit(&mut held.lock, next(&held.record, "1")).await;
    assert_eq!(kind(late), Some(StorageErrorKind::LockLost));
    assert_eq!(storage.locks_held(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_for_the_storage_when_it_ends_for_the_locks() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
    let setup = Setup::with(MapStore::default(), Arc::clone(&clock));
    let key = setup.created("0").await;
    let mut held = setup.locked(&key).await;
    clock.advance(held.lock.lease() - Duration::from_millis(1));
    setup.storage.renew(&held.lock.id()).await.unwrap();
    clock.advance(held.lock.lease());
    let late = setup.storage.commit(&mut held.lock, next(&held.record, "1")).await;
    assert_eq!(kind(late), Some(StorageErrorKind::LockLost));
    let late = setup.storage.renew(&held.lock.id()).await;
    assert_eq!(kind(late), Some(StorageErrorKind::LockLost));
    assert_eq!(setup.payload(&key).await, Lookup::Found("0".into()));
}

#[tokio::test]
async fn an_unknown_key_is_looked_up_and_nothing_else() {
    let setup = Setup::new();
    let lock = setup.storage.lock(&key(), HOUR).await.unwrap();
    assert!(matches!(lock, Lookup::Missing));
    assert_eq!(setup.store.calls(), ["head"]);
    assert_eq!(setup.footprint(), 0);
}

#[tokio::test]
async fn calls_to_the_store_per_operation() {
    let setup = Setup::new();
    let [key, moved] = keys();
    let storage = &setup.storage;
    storage.create(&key, setup.record("0")).await.unwrap();
    assert_eq!(setup.store.calls(), ["insert"]);
    storage.read(&key).await.unwrap();
    assert_eq!(setup.store.calls(), ["load"]);
    let meta = storage.read_meta(&key).await.unwrap().found().unwrap();
    assert_eq!(meta, (key, setup.record("0").meta));
    assert_eq!(setup.store.calls(), ["head"]);
    let mut held = setup.locked(&key).await;
    assert_eq!(setup.store.calls(), ["head", "load"]);
    storage.renew(&held.lock.id()).await.unwrap();
    assert_eq!(setup.store.calls(), ["head"]);
    storage.commit(&mut held.lock, next(&held.record, "1")).await.unwrap();
    assert_eq!(setup.store.calls(), ["replace"]);
    assert!(storage.touch(&key, 2, None, storage.clock().now()).await.unwrap());
    assert_eq!(setup.store.calls(), ["head", "touch"]);
    assert!(!storage.touch(&key, 1, None, Timestamp::MAX).await.unwrap());
    assert_eq!(setup.store.calls(), ["head"], "what comes too late is not written");
    assert!(storage.touch(&key, 2, None, Timestamp::MIN).await.unwrap());
    assert_eq!(setup.store.calls(), ["head"], "what changes nothing is not written");
    let mut held = setup.locked(&key).await;
    setup.store.calls();
    let rotated = storage.rotate(&mut held.lock, &moved, next(&held.record, "2"), Duration::ZERO);
    rotated.await.unwrap();
    assert_eq!(setup.store.calls(), ["rename"]);
    storage.destroy(&moved).await.unwrap();
    assert_eq!(setup.store.calls(), ["head", "remove"]);
}

#[tokio::test]
async fn a_session_that_ends_between_lookup_and_lock_leaves_no_lock() {
    let setup = Setup::new();
    let key = setup.created("0").await;
    let other = setup.storage.clone();
    setup.store.just_before("load", move || {
        assert_eq!(expect_ready(other.destroy(&key)).unwrap(), Lookup::Found(()));
    });
    let lock = setup.storage.lock(&key, HOUR).await.unwrap();
    assert!(matches!(lock, Lookup::Missing));
    assert_eq!(setup.footprint(), 0);
}

#[tokio::test]
async fn a_session_that_moves_between_lookup_and_lock_is_followed() {
    for (grace, follows) in [(HOUR, true), (Duration::ZERO, false)] {
        let setup = Setup::new();
        let [old, new] = keys();
        setup.storage.create(&old, setup.record("0")).await.unwrap();
        let mut held = setup.locked(&old).await;
        let other = setup.storage.clone();
        setup.store.just_before("load", move || {
            let record = next(&held.record, "1");
            expect_ready(other.rotate(&mut held.lock, &new, record, grace)).unwrap();
        });
        // These locks exclude no caller, so the lock is granted; the lookup under the lock finds the new key.
        let permissive = LockedStore::new(setup.store.clone(), Permissive(TokioClock::start()));
        let lock = permissive.lock(&old, HOUR).await.unwrap();
        match lock {
            Lookup::Found(locked) => {
                assert!(follows);
                assert_eq!(locked.lock.key(), &new);
                assert_eq!(locked.record.payload, "1");
            }
            Lookup::Superseded => assert!(!follows),
            Lookup::Missing => panic!("the session is lost"),
        }
    }
}

#[tokio::test]
async fn destroy_comes_before_a_slow_writer() {
    let setup = Setup::new();
    let key = setup.created("0").await;
    let mut held = setup.locked(&key).await;
    let other = setup.storage.clone();
    setup.store.just_before("replace", move || {
        assert_eq!(expect_ready(other.destroy(&key)).unwrap(), Lookup::Found(()));
    });
    let late = setup.storage.commit(&mut held.lock, next(&held.record, "undead")).await;
    assert_eq!(kind(late), Some(StorageErrorKind::Gone));
    drop(held);
    assert_eq!(setup.footprint(), 0);
}

#[tokio::test]
async fn destroy_comes_before_a_slow_rotation() {
    let setup = Setup::new();
    let [key, new] = keys();
    setup.storage.create(&key, setup.record("0")).await.unwrap();
    let mut held = setup.locked(&key).await;
    let other = setup.storage.clone();
    setup.store.just_before("rename", move || {
        assert_eq!(expect_ready(other.destroy(&key)).unwrap(), Lookup::Found(()));
    });
    let record = next(&held.record, "undead");
    let late = setup.storage.rotate(&mut held.lock, &new, record, HOUR).await;
    assert_eq!(kind(late), Some(StorageErrorKind::Gone));
    drop(held);
    assert_eq!(setup.footprint(), 0);
}

#[tokio::test]
async fn destroy_comes_after_a_writer_that_is_faster() {
    let setup = Setup::new();
    let key = setup.created("0").await;
    let mut held = setup.locked(&key).await;
    let other = setup.storage.clone();
    setup.store.just_before("remove", move || {
        expect_ready(other.commit(&mut held.lock, next(&held.record, "1"))).unwrap();
    });
    assert_eq!(setup.storage.destroy(&key).await.unwrap(), Lookup::Found(()));
    assert_eq!(setup.footprint(), 0);
}

#[tokio::test]
async fn destroy_follows_a_session_that_moves_away() {
    for grace in [Duration::ZERO, HOUR] {
        let setup = Setup::new();
        let [old, new] = keys();
        setup.storage.create(&old, setup.record("0")).await.unwrap();
        let mut held = setup.locked(&old).await;
        let other = setup.storage.clone();
        setup.store.just_before("remove", move || {
            let record = next(&held.record, "1");
            expect_ready(other.rotate(&mut held.lock, &new, record, grace)).unwrap();
        });
        assert_eq!(setup.storage.destroy(&old).await.unwrap(), Lookup::Found(()));
        assert_eq!(setup.payload(&new).await, Lookup::Missing);
        assert_eq!(setup.payload(&old).await, Lookup::Superseded);
    }
}

#[tokio::test]
async fn a_touch_that_a_commit_overtakes_changes_nothing() {
    let setup = Setup::new();
    let key = setup.created("0").await;
    let mut held = setup.locked(&key).await;
    let record = next(&held.record, "1");
    let (other, written) = (setup.storage.clone(), record.clone());
    setup.store.just_before("touch", move || {
        expect_ready(other.commit(&mut held.lock, written)).unwrap();
    });
    assert!(!setup.storage.touch(&key, 1, None, Timestamp::MAX).await.unwrap());
    assert_eq!(setup.storage.read(&key).await.unwrap().found().unwrap().record, record);
}

#[tokio::test]
async fn a_touch_under_the_lock_takes_nothing_from_the_holder() {
    let setup = Setup::new();
    let key = setup.created("0").await;
    let mut held = setup.locked(&key).await;
    let later = setup.storage.clock().now() + HOUR * 5;
    setup.storage.touch(&key, 1, Some(later), later).await.unwrap();
    setup.store.calls();
    let record = next(&held.record, "1");
    setup.storage.commit(&mut held.lock, record.clone()).await.unwrap();
    assert_eq!(setup.store.calls(), ["replace", "head", "replace"]);
    assert_eq!(setup.storage.read(&key).await.unwrap().found().unwrap().record, record);
}

#[tokio::test]
async fn a_renewal_after_a_touch_saves_the_commit_a_lookup() {
    let setup = Setup::new();
    let key = setup.created("0").await;
    let mut held = setup.locked(&key).await;
    setup.storage.touch(&key, 1, None, Timestamp::MAX).await.unwrap();
    setup.storage.renew(&held.lock.id()).await.unwrap();
    setup.store.calls();
    setup
        .storage
        .commit(&mut held.lock, next(&held.record, "1"))
        .await
        .unwrap();
    assert_eq!(setup.store.calls(), ["replace"]);
}

#[tokio::test]
async fn a_rotation_succeeds_despite_a_touch_meanwhile() {
    let setup = Setup::new();
    let [old, new] = keys();
    setup.storage.create(&old, setup.record("0")).await.unwrap();
    let mut held = setup.locked(&old).await;
    let other = setup.storage.clone();
    setup.store.just_before("rename", move || {
        assert!(expect_ready(other.touch(&old, 1, None, Timestamp::MAX)).unwrap());
    });
    let record = next(&held.record, "1");
    setup
        .storage
        .rotate(&mut held.lock, &new, record, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(setup.payload(&new).await, Lookup::Found("1".into()));
    assert_eq!(setup.payload(&old).await, Lookup::Superseded);
}

#[tokio::test]
async fn the_later_deadline_of_two_touches_stands() {
    let setup = Setup::new();
    let key = setup.created("0").await;
    let now = setup.storage.clock().now();
    let [soon, late] = [now + HOUR * 2, now + HOUR * 3];
    let other = setup.storage.clone();
    setup.store.just_before("touch", move || {
        assert!(expect_ready(other.touch(&key, 1, Some(late), late)).unwrap())
    });
    setup.storage.touch(&key, 1, Some(soon), soon).await.unwrap();
    let meta = setup.storage.read(&key).await.unwrap().found().unwrap().record.meta;
    assert_eq!((meta.deadline, meta.last_active), (Some(late), late));
}

#[tokio::test]
async fn a_touch_revives_nothing_that_is_destroyed_meanwhile() {
    let setup = Setup::new();
    let key = setup.created("0").await;
    let other = setup.storage.clone();
    setup.store.just_before("touch", move || {
        expect_ready(other.destroy(&key)).unwrap();
    });
    let late = setup.storage.touch(&key, 1, None, Timestamp::MAX).await;
    assert_eq!(kind(late), Some(StorageErrorKind::Gone));
    assert_eq!(setup.footprint(), 0);
}

#[tokio::test]
async fn one_of_two_creates_over_an_expired_record_succeeds() {
    let setup = Setup::new();
    let key = key();
    let mut over = setup.record("over");
    over.meta.deadline = Some(Timestamp::from_millis(1));
    setup.storage.create(&key, over).await.unwrap();
    let (other, record) = (setup.storage.clone(), setup.record("other's"));
    setup
        .store
        .just_before("remove", move || expect_ready(other.create(&key, record)).unwrap());
    let late = setup.storage.create(&key, setup.record("mine")).await;
    assert_eq!(kind(late), Some(StorageErrorKind::Exists));
    assert_eq!(setup.payload(&key).await, Lookup::Found("other's".into()));
}

#[tokio::test]
async fn a_session_whose_deadline_moves_meanwhile_is_not_swept() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
    let setup = Setup::with(MapStore::default(), Arc::clone(&clock));
    let key = setup.created("0").await;
    let other = setup.storage.clone();
    clock.advance(HOUR - Duration::from_millis(1));
    setup.store.just_before("take_expired", {
        let clock = Arc::clone(&clock);
        move || {
            expect_ready(other.touch(&key, 1, None, Timestamp::MAX)).unwrap();
            clock.advance(HOUR);
        }
    });
    assert_eq!(setup.storage.sweep(10).await.unwrap(), []);
    assert!(setup.payload(&key).await.is_found());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_expires_while_the_store_responds_is_not_found() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
    let setup = Setup::with(MapStore::default(), Arc::clone(&clock));
    let key = setup.created("0").await;
    setup.store.just_before("load", {
        let clock = Arc::clone(&clock);
        move || clock.advance(HOUR)
    });
    assert_eq!(setup.payload(&key).await, Lookup::Missing);
}

/// The state of locks that are never released is pruned as other locks are taken.
#[tokio::test]
async fn leases_that_are_never_released_are_bounded() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
    let setup = Setup::with(MapStore::default(), Arc::clone(&clock));
    for _ in 0..1_000 {
        let key = setup.created("0").await;
        setup.locked(&key).await.lock.disarm();
        clock.advance(DEFAULT_LEASE);
    }
    assert!(
        setup.storage.locks_held() <= 65,
        "{} locks are kept",
        setup.storage.locks_held()
    );
    assert!(setup.locks.in_use() <= 65, "{} locks are in use", setup.locks.in_use());
}
