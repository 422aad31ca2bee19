//! Setting the wall clock while sessions are locked and expire. Leases are judged by the monotonic clock.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{ManualClock, Meta, OsEntropy, Record, SessionId, SessionKey, Storage, StorageErrorKind, Timestamp};

use super::common::TempFolder;
use super::scenario::START;
use crate::{Durability, FileStorage};

const HOUR: Duration = Duration::from_secs(3_600);

fn open(folder: &TempFolder, clock: &Arc<ManualClock>) -> FileStorage {
    let builder = FileStorage::builder(folder.path()).wall(clock.clone()).lease(HOUR / 2);
    let builder = builder.durability(Durability::Relaxed).sweep_every(None);
    builder.open().expect("open")
}

async fn create(storage: &FileStorage, life: Duration) -> SessionKey {
    let key = SessionId::generate(&OsEntropy).key();
    let now = storage.clock().now();
    let record = Record::new(Meta::new(now).with_deadline(Some(now + life)), "x");
    storage.create(&key, record).await.expect("create");
    key
}

/// In either direction the lock is neither lost nor taken over, and its lease does not get longer.
#[tokio::test]
async fn a_lock_is_kept_when_the_clock_is_set() {
    for set_to in [START + HOUR, Timestamp::from_millis(START.as_millis() - 3_600_000)] {
        let folder = TempFolder::new();
        let clock = Arc::new(ManualClock::at(START));
        let (one, two) = (open(&folder, &clock), open(&folder, &clock));
        let key = create(&one, 10 * HOUR).await;
        let mut locked = one
            .lock(&key, Duration::ZERO)
            .await
            .expect("lock")
            .found()
            .expect("live");
        clock.set(set_to);
        let error = two.lock(&key, Duration::ZERO).await.expect_err("it is held");
        assert_eq!(error.kind(), StorageErrorKind::LockTimeout, "{set_to:?}");
        one.renew(&locked.lock.id()).await.expect("renew");
        let record = Record::new(locked.record.meta.clone(), "y");
        one.commit(&mut locked.lock, record).await.expect("commit");
        let next = two
            .lock(&key, Duration::ZERO)
            .await
            .expect("lock")
            .found()
            .expect("live");
        assert_eq!(next.record.payload, "y", "{set_to:?}");
    }
}

/// A session that only looks expired, because the clock was set forward by mistake, is readable after the correction.
#[tokio::test]
async fn nothing_is_swept_because_the_clock_was_set_forward() {
    let folder = TempFolder::new();
    let clock = Arc::new(ManualClock::at(START));
    let storage = open(&folder, &clock);
    let key = create(&storage, HOUR / 2).await;
    let expired = create(&storage, Duration::ZERO).await;
    clock.advance(HOUR);
    let swept = storage.sweep(10).await.expect("sweep");
    assert_eq!(
        swept.iter().map(|stored| stored.key).collect::<Vec<_>>(),
        [expired],
        "only the session that has expired by both clocks"
    );
    assert!(
        !storage.read(&key).await.expect("read").is_found(),
        "by this clock it has expired"
    );
    clock.set(START);
    assert!(
        storage.read(&key).await.expect("read").is_found(),
        "it was removed by mistake"
    );
    // A storage that is opened afterwards has seen no other time.
    clock.advance(HOUR);
    assert_eq!(open(&folder, &clock).sweep(10).await.expect("sweep").len(), 1);
}

/// The session only looks expired for a while.
#[tokio::test]
async fn a_lock_is_kept_when_a_sweep_passes_while_the_clock_is_wrong() {
    let folder = TempFolder::new();
    let clock = Arc::new(ManualClock::at(START));
    let storage = open(&folder, &clock);
    let key = create(&storage, HOUR / 2).await;
    let locked = storage.lock(&key, Duration::ZERO).await.expect("lock");
    let mut locked = locked.found().expect("live");
    clock.advance(HOUR);
    assert_eq!(storage.sweep(10).await.expect("sweep"), []);
    clock.set(START);
    let record = Record::new(locked.record.meta.clone(), "y");
    storage.commit(&mut locked.lock, record).await.expect("commit");
}
