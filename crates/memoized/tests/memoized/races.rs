//! Loads in flight while the session is written, rotated or destroyed.

use std::time::Duration;

use sessile_core::{Lookup, Storage, StorageErrorKind};
use sessile_testkit::Operation;

use crate::support::{HOUR, SECOND, Setup, keys, kind, next};

fn found(payload: &str) -> Lookup<String> {
    Lookup::Found(payload.to_owned())
}

/// Starts a load that has read the session and has not returned yet.
async fn loading(setup: &Setup) -> (sessile_core::SessionKey, tokio::task::JoinHandle<Lookup<String>>) {
    let key = setup.cold("old").await;
    setup.delays.after(Operation::Read, SECOND);
    let loading = setup.reading(key).await;
    setup.delays.after(Operation::Read, Duration::ZERO);
    (key, loading)
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_destroyed_during_a_load_is_not_cached() {
    let setup = Setup::new();
    let (key, loading) = loading(&setup).await;
    assert_eq!(setup.storage.destroy(&key).await.unwrap(), Lookup::Found(()));
    assert_eq!(
        setup.read(&key).await,
        Lookup::Missing,
        "a later read does not join the load"
    );
    assert_eq!(
        loading.await.unwrap(),
        found("old"),
        "the load began before the destruction"
    );
    assert_eq!(setup.read(&key).await, Lookup::Missing);
    assert_eq!(setup.storage.stats().records, 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_written_during_a_load_is_read_again() {
    let setup = Setup::new();
    let (key, loading) = loading(&setup).await;
    let mut held = setup.locked(&key).await;
    setup
        .storage
        .commit(&mut held.lock, next(&held.record, "new"))
        .await
        .unwrap();
    assert_eq!(setup.read(&key).await, found("new"));
    assert_eq!(loading.await.unwrap(), found("old"));
    assert_eq!(setup.read(&key).await, found("new"));
}

#[tokio::test(start_paused = true)]
async fn a_load_that_begins_during_a_write_is_not_cached() {
    let setup = Setup::new();
    let key = setup.hot("old").await;
    let mut held = setup.locked(&key).await;
    setup.delays.before(Operation::Commit, SECOND);
    setup.delays.after(Operation::Read, SECOND * 2);
    let storage = setup.storage.clone();
    let committing = tokio::spawn(async move {
        let record = next(&held.record, "new");
        storage.commit(&mut held.lock, record).await.unwrap();
    });
    tokio::task::yield_now().await;
    let loading = setup.reading(key).await;
    committing.await.unwrap();
    setup.delays.after(Operation::Read, Duration::ZERO);
    assert_eq!(setup.read(&key).await, found("new"));
    assert_eq!(
        loading.await.unwrap(),
        found("old"),
        "it began before the commit took effect"
    );
    assert_eq!(setup.read(&key).await, found("new"));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_overlaps_with_another_does_not_cache_its_record() {
    let setup = Setup::new();
    let key = setup.hot("old").await;
    let mut held = setup.locked(&key).await;
    // The touch takes effect first and returns last: by then the record has another payload.
    setup.delays.after(Operation::Touch, SECOND);
    let storage = setup.storage.clone();
    let touching = tokio::spawn(async move { storage.touch(&key, 1, None, storage.clock().now()).await });
    tokio::task::yield_now().await;
    setup
        .storage
        .commit(&mut held.lock, next(&held.record, "new"))
        .await
        .unwrap();
    assert_eq!(setup.read(&key).await, found("new"));
    touching.await.unwrap().unwrap();
    assert_eq!(setup.read(&key).await, found("new"));
    let deadline = setup
        .storage
        .read(&key)
        .await
        .unwrap()
        .found()
        .unwrap()
        .record
        .meta
        .deadline;
    let stored = setup.model.read(&key).await.unwrap().found().unwrap();
    assert_eq!(deadline, stored.record.meta.deadline);
}

#[tokio::test(start_paused = true)]
async fn written_sessions_are_cached_and_destroyed_ones_are_not() {
    let setup = Setup::new();
    let [key, moved] = keys();
    setup.storage.create(&key, setup.record("created")).await.unwrap();
    assert_eq!(setup.read(&key).await, found("created"));
    let mut held = setup.locked(&key).await;
    setup
        .storage
        .commit(&mut held.lock, next(&held.record, "committed"))
        .await
        .unwrap();
    assert_eq!(setup.read(&key).await, found("committed"));
    let mut held = setup.locked(&key).await;
    let record = next(&held.record, "moved");
    setup
        .storage
        .rotate(&mut held.lock, &moved, record, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(setup.read(&moved).await, found("moved"));
    assert_eq!(setup.calls.of(Operation::Read), 0, "all reads are hits");
    assert_eq!(setup.read(&key).await, Lookup::Superseded);
    setup.storage.destroy(&moved).await.unwrap();
    assert_eq!(setup.read(&moved).await, Lookup::Missing);
    assert_eq!(setup.storage.stats().records, 0);
}

#[tokio::test(start_paused = true)]
async fn destroy_through_an_alias_invalidates_the_new_key() {
    let setup = Setup::new();
    let [old, new] = keys();
    setup.model.create(&old, setup.record("0")).await.unwrap();
    let mut held = setup.locked(&old).await;
    let record = next(&held.record, "1");
    setup.storage.rotate(&mut held.lock, &new, record, HOUR).await.unwrap();
    assert_eq!(setup.read(&new).await, found("1"));
    assert_eq!(setup.read(&old).await, found("1"));
    assert_eq!(setup.storage.destroy(&old).await.unwrap(), Lookup::Found(()));
    assert_eq!(setup.read(&new).await, Lookup::Missing);
    assert_eq!(setup.read(&old).await, Lookup::Superseded);
}

#[tokio::test(start_paused = true)]
async fn destroy_through_a_tombstone_invalidates_the_new_key() {
    let setup = Setup::new();
    let [old, new] = keys();
    setup.model.create(&old, setup.record("0")).await.unwrap();
    let mut held = setup.locked(&old).await;
    let record = next(&held.record, "1");
    let rotated = setup.storage.rotate(&mut held.lock, &new, record, Duration::ZERO);
    rotated.await.unwrap();
    assert_eq!(setup.read(&new).await, found("1"));
    assert_eq!(setup.storage.destroy(&old).await.unwrap(), Lookup::Found(()));
    assert_eq!(setup.read(&new).await, Lookup::Missing);
    assert_eq!(setup.read(&old).await, Lookup::Superseded);
}

#[tokio::test(start_paused = true)]
async fn a_refused_touch_changes_nothing_in_the_cache() {
    let setup = Setup::new();
    let key = setup.hot("0").await;
    let before = setup.storage.read(&key).await.unwrap();
    let later = setup.storage.clock().now() + HOUR * 5;
    assert!(!setup.storage.touch(&key, 0, Some(later), later).await.unwrap());
    assert_eq!(setup.storage.read(&key).await.unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_has_expired_is_not_served_from_the_cache() {
    let setup = Setup::new();
    let [old, new] = keys();
    setup.model.create(&old, setup.record("0")).await.unwrap();
    let mut held = setup.locked(&old).await;
    let record = next(&held.record, "1");
    setup
        .storage
        .rotate(&mut held.lock, &new, record, SECOND * 10)
        .await
        .unwrap();
    assert_eq!(setup.read(&old).await, found("1"));
    tokio::time::advance(SECOND * 10).await;
    assert_eq!(setup.read(&old).await, Lookup::Superseded);
    assert_eq!(setup.read(&new).await, found("1"));
}

#[tokio::test(start_paused = true)]
async fn at_its_deadline_a_session_is_not_served_from_the_cache() {
    let setup = Setup::new();
    let key = setup.hot("0").await;
    tokio::time::advance(HOUR - Duration::from_millis(1)).await;
    assert_eq!(setup.read(&key).await, found("0"));
    setup.calls.assert_none();
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(setup.read(&key).await, Lookup::Missing);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_returns_after_the_deadline_finds_nothing() {
    let setup = Setup::new();
    let key = setup.cold("0").await;
    tokio::time::advance(HOUR - SECOND).await;
    setup.delays.after(Operation::Read, SECOND);
    assert_eq!(setup.read(&key).await, Lookup::Missing);
}

#[tokio::test(start_paused = true)]
async fn a_touch_updates_the_cache() {
    let setup = Setup::new();
    let key = setup.hot("0").await;
    let later = setup.storage.clock().now() + HOUR * 5;
    setup.storage.touch(&key, 1, Some(later), later).await.unwrap();
    tokio::time::advance(HOUR * 2).await;
    let stored = setup.storage.read(&key).await.unwrap().found().unwrap();
    assert_eq!(
        (stored.record.meta.deadline, stored.record.meta.last_active),
        (Some(later), later)
    );
    assert_eq!(setup.calls.of(Operation::Read), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_commit_is_not_cached() {
    let setup = Setup::new();
    let key = setup.hot("old").await;
    let mut late = setup.locked(&key).await;
    tokio::time::advance(late.lock.lease()).await;
    let refused = setup.storage.commit(&mut late.lock, next(&late.record, "late")).await;
    assert_eq!(kind(refused), Some(StorageErrorKind::LockLost));
    assert_eq!(setup.read(&key).await, found("old"));

    setup.storage.destroy(&key).await.unwrap();
    let refused = setup.storage.commit(&mut late.lock, next(&late.record, "late")).await;
    assert_eq!(kind(refused), Some(StorageErrorKind::Gone));
    assert_eq!(setup.read(&key).await, Lookup::Missing);
}

#[tokio::test(start_paused = true)]
async fn swept_sessions_leave_the_cache() {
    let setup = Setup::new();
    setup.hot("0").await;
    tokio::time::advance(HOUR).await;
    assert_eq!(setup.storage.stats().records, 1);
    assert_eq!(setup.storage.sweep(10).await.unwrap().len(), 1);
    assert_eq!(setup.storage.stats().records, 0);
}
