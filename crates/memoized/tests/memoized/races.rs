//! Loads that are under way while the session is written, moved or destroyed.

use std::time::Duration;

use sessile_core::{Lookup, Storage, StorageErrorKind};
use sessile_testkit::Verb;

use crate::support::{HOUR, SECOND, Setup, keys, kind, next};

fn found(payload: &str) -> Lookup<String> {
    Lookup::Found(payload.to_owned())
}

/// A load has read the session and is not back yet.
async fn loading(setup: &Setup) -> (sessile_core::SessionKey, tokio::task::JoinHandle<Lookup<String>>) {
    let key = setup.cold("old").await;
    setup.delays.after(Verb::Read, SECOND);
    let loading = setup.reading(key).await;
    setup.delays.after(Verb::Read, Duration::ZERO);
    (key, loading)
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_destroyed_during_a_load_is_not_kept() {
    let setup = Setup::new();
    let (key, loading) = loading(&setup).await;
    assert_eq!(setup.storage.destroy(&key).await.unwrap(), Lookup::Found(()));
    assert_eq!(
        setup.read(&key).await,
        Lookup::Missing,
        "whoever comes later does not share the load"
    );
    assert_eq!(loading.await.unwrap(), found("old"), "which began before");
    assert_eq!(setup.read(&key).await, Lookup::Missing);
    assert_eq!(setup.storage.stats().records, 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_written_during_a_load_is_read_anew() {
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
async fn a_load_that_begins_during_a_write_is_not_kept() {
    let setup = Setup::new();
    let key = setup.hot("old").await;
    let mut held = setup.locked(&key).await;
    setup.delays.before(Verb::Commit, SECOND);
    setup.delays.after(Verb::Read, SECOND * 2);
    let storage = setup.storage.clone();
    let committing = tokio::spawn(async move {
        let record = next(&held.record, "new");
        storage.commit(&mut held.lock, record).await.unwrap();
    });
    tokio::task::yield_now().await;
    let loading = setup.reading(key).await;
    committing.await.unwrap();
    setup.delays.after(Verb::Read, Duration::ZERO);
    assert_eq!(setup.read(&key).await, found("new"));
    assert_eq!(
        loading.await.unwrap(),
        found("old"),
        "it began before the commit took effect"
    );
    assert_eq!(setup.read(&key).await, found("new"));
}

#[tokio::test(start_paused = true)]
async fn while_one_write_goes_on_another_does_not_bring_its_record_in() {
    let setup = Setup::new();
    let key = setup.hot("old").await;
    let mut held = setup.locked(&key).await;
    // The touch takes effect first and answers last: by then the record has another payload.
    setup.delays.after(Verb::Touch, SECOND);
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
async fn what_is_written_is_in_memory_and_what_is_destroyed_is_not() {
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
    assert_eq!(setup.calls.of(Verb::Read), 0, "everything was known");
    assert_eq!(setup.read(&key).await, Lookup::Superseded);
    setup.storage.destroy(&moved).await.unwrap();
    assert_eq!(setup.read(&moved).await, Lookup::Missing);
    assert_eq!(setup.storage.stats().records, 0);
}

#[tokio::test(start_paused = true)]
async fn destroy_through_an_alias_reaches_what_is_kept_under_the_other_key() {
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
async fn destroy_of_a_tombstone_reaches_what_is_kept_where_the_session_is_now() {
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
async fn a_touch_that_comes_too_late_changes_nothing_in_memory() {
    let setup = Setup::new();
    let key = setup.hot("0").await;
    let before = setup.storage.read(&key).await.unwrap();
    let later = setup.storage.clock().now() + HOUR * 5;
    assert!(!setup.storage.touch(&key, 0, Some(later), later).await.unwrap());
    assert_eq!(setup.storage.read(&key).await.unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn an_alias_is_not_followed_from_memory_when_its_time_is_over() {
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
async fn at_its_deadline_a_session_is_not_served_from_memory() {
    let setup = Setup::new();
    let key = setup.hot("0").await;
    tokio::time::advance(HOUR - Duration::from_millis(1)).await;
    assert_eq!(setup.read(&key).await, found("0"));
    setup.calls.assert_none();
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(setup.read(&key).await, Lookup::Missing);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_takes_past_the_deadline_finds_nothing() {
    let setup = Setup::new();
    let key = setup.cold("0").await;
    tokio::time::advance(HOUR - SECOND).await;
    setup.delays.after(Verb::Read, SECOND);
    assert_eq!(setup.read(&key).await, Lookup::Missing);
}

#[tokio::test(start_paused = true)]
async fn a_touch_is_known_without_asking() {
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
    assert_eq!(setup.calls.of(Verb::Read), 0);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_is_refused_leaves_nothing_of_itself() {
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
async fn what_is_swept_leaves_the_memory() {
    let setup = Setup::new();
    setup.hot("0").await;
    tokio::time::advance(HOUR).await;
    assert_eq!(setup.storage.stats().records, 1);
    assert_eq!(setup.storage.sweep(10).await.unwrap().len(), 1);
    assert_eq!(setup.storage.stats().records, 0);
}
