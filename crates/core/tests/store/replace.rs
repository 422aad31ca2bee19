//! `replace` takes the lock for a moment: its effect on other calls, and the state after it is dropped or fails.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sessile_core::{
    DEFAULT_LEASE, Exponential, Lookup, Retry, SessionKey, Storage, StorageError, StorageErrorKind, Stored, TokioClock,
};
use tokio::time::advance;

use crate::cancellation::{at_every_point, poll_times};
use crate::support::{HOUR, MapStore, Setup, keys, next};

async fn known(storage: &dyn Storage, key: &SessionKey) -> Stored {
    storage.read(key).await.unwrap().found().expect("a live session")
}

fn kind<T>(result: Result<T, StorageError>) -> Result<T, StorageErrorKind> {
    result.map_err(|error| error.kind())
}

/// Asserts that there are so many entries, and no locks or waiters.
#[track_caller]
fn assert_left(setup: &Setup, entries: usize, what: &str) {
    let left = (setup.store.len(), setup.locks.in_use(), setup.storage.locks_held());
    assert_eq!(left, (entries, 0, 0), "{what}");
}

#[tokio::test(start_paused = true)]
async fn one_step_of_the_store_writes_and_the_lock_is_released() {
    let setup = Setup::new();
    let key = setup.created("0").await;
    let known = known(&setup.storage, &key).await;
    setup.store.calls();
    let replaced = setup.storage.replace(&known, next(&known.record, "1")).await;
    assert_eq!(kind(replaced), Ok(true));
    assert_eq!(setup.store.calls(), ["head", "load", "replace"]);
    assert_left(&setup, 1, "after a replace");
    // The record has changed since it was read.
    let again = setup.storage.replace(&known, next(&known.record, "2")).await;
    assert_eq!(kind(again), Ok(false));
    assert_eq!(
        setup.store.calls(),
        ["head", "load"],
        "nothing is written to be refused"
    );
    assert_left(&setup, 1, "after one that came too late");
    assert_eq!(setup.payload(&key).await, Lookup::Found("1".into()));
}

#[tokio::test(start_paused = true)]
async fn replacing_by_an_alias_writes_and_locks_nothing() {
    let setup = Setup::new();
    let storage = &setup.storage;
    let [old, new] = keys();
    storage.create(&old, setup.record("0")).await.unwrap();
    let before = known(storage, &old).await;
    let mut held = setup.locked(&old).await;
    let moved = next(&held.record, "moved");
    storage.rotate(&mut held.lock, &new, moved, HOUR).await.unwrap();
    let there = known(storage, &old).await;
    assert_eq!(there.key, new, "a read says where the session is");
    for locked in [false, true] {
        let lock = match locked {
            true => Some(setup.locked(&new).await),
            false => None,
        };
        for record in [before.record.clone(), there.record.clone()] {
            setup.store.calls();
            let by_alias = Stored::new(old, record);
            let result = storage.replace(&by_alias, next(&there.record, "late")).await;
            assert_eq!(kind(result), Ok(false), "locked: {locked}");
            assert!(!setup.store.calls().contains(&"replace"));
        }
        drop(lock);
        assert_left(&setup, 2, "after a replace by an alias");
    }
    // Replacing under the key that the read has returned succeeds, and the alias still leads there.
    assert_eq!(kind(storage.replace(&there, next(&there.record, "1")).await), Ok(true));
    assert_eq!(known(storage, &old).await.record.payload, "1");
    advance(HOUR).await;
    let late = storage.replace(&before, next(&before.record, "late")).await;
    assert_eq!(kind(late), Err(StorageErrorKind::Superseded));
}

#[tokio::test(start_paused = true)]
async fn waiters_are_served_in_order_despite_replacing_calls() {
    let setup = Setup::new();
    let key = setup.created("0").await;
    let before = known(&setup.storage, &key).await;
    let held = setup.locked(&key).await;
    let (served, mut order) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..3 {
        let (setup, served) = (setup.clone(), served.clone());
        tokio::spawn(async move {
            let mut locked = setup.storage.lock(&key, HOUR).await.unwrap().found().unwrap();
            // A holder of the lock is not overtaken either.
            let known = known(&setup.storage, &key).await;
            let result = setup.storage.replace(&known, next(&known.record, "overtaken")).await;
            assert_eq!(kind(result), Ok(false));
            let record = next(&locked.record, "served");
            setup.storage.commit(&mut locked.lock, record).await.unwrap();
            served.send(number).unwrap();
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..4 {
        let result = setup.storage.replace(&before, next(&before.record, "late")).await;
        assert_eq!(kind(result), Ok(false), "another holder has the lock");
    }
    assert_eq!(setup.payload(&key).await, Lookup::Found("0".into()));
    drop(held);
    for number in 0..3 {
        assert_eq!(order.recv().await, Some(number));
    }
    let now = known(&setup.storage, &key).await;
    assert_eq!(now.record.meta.version, 4);
    assert_eq!(
        kind(setup.storage.replace(&now, next(&now.record, "1")).await),
        Ok(true)
    );
    assert_left(&setup, 1, "in the end");
}

/// A visit that comes while the record is replaced waits only for that, and sees the write.
#[tokio::test(start_paused = true)]
async fn a_lock_call_between_lock_and_write_waits_and_sees_the_write() {
    let setup = Setup::new();
    let key = setup.created("0").await;
    let known = known(&setup.storage, &key).await;
    let other = setup.clone();
    let (waits, waiting) = std::sync::mpsc::channel();
    setup.store.just_before("replace", move || {
        let mut waiting = Box::pin(async move { other.storage.lock(&key, HOUR).await });
        let polled = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending(), "the lock is held while the record is replaced");
        waits.send(waiting).unwrap();
    });
    assert_eq!(
        kind(setup.storage.replace(&known, next(&known.record, "1")).await),
        Ok(true)
    );
    let locked = tokio::time::timeout(Duration::from_secs(1), waiting.recv().unwrap()).await;
    let locked = locked.expect("it does not wait for a lease").unwrap().found().unwrap();
    assert_eq!(locked.record.payload, "1");
    drop(locked);
    assert_left(&setup, 1, "in the end");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_replace_has_written_all_or_nothing_and_leaves_no_lock() {
    at_every_point(async |polls| {
        let setup = Setup::with(MapStore::yielding(), TokioClock::start());
        let key = setup.created("0").await;
        let known = known(&setup.storage, &key).await;
        let ended = poll_times(polls, async {
            let result = setup.storage.replace(&known, next(&known.record, "1")).await;
            assert_eq!(kind(result), Ok(true));
        })
        .await;
        assert_left(&setup, 1, &format!("after {polls} polls"));
        match setup.payload(&key).await {
            Lookup::Found(payload) if payload == "1" => {}
            Lookup::Found(payload) if payload == "0" && !ended => {}
            other => panic!("after {polls} polls: {other:?}"),
        }
        let now = self::known(&setup.storage, &key).await;
        let later = setup.storage.replace(&now, next(&now.record, "2")).await;
        assert_eq!(kind(later), Ok(true), "after {polls} polls");
        ended
    })
    .await;
}

/// A process that dies or stalls while it replaces a record excludes others until the lease is over, and no longer. If
/// it resumes, it overwrites nothing.
#[tokio::test(start_paused = true)]
async fn a_stalled_replace_is_refused_after_its_lease() {
    let (mut stood, mut came_late) = (0, 0);
    for polls in 1..32 {
        for comes_back in [false, true] {
            let setup = Setup::with(MapStore::yielding(), TokioClock::start());
            let key = setup.created("0").await;
            let before = known(&setup.storage, &key).await;
            let storage = setup.storage.clone();
            let first = before.clone();
            let mut slow = Box::pin(async move { storage.replace(&first, next(&first.record, "slow")).await });
            let mut result = None;
            for _ in 0..polls {
                if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(slow.as_mut().poll(cx))).await {
                    result = Some(done);
                    break;
                }
                tokio::task::yield_now().await;
            }
            let holds = setup.locks.in_use() > 0;
            let written = setup.payload(&key).await == Lookup::Found("slow".into());
            if holds {
                let now = known(&setup.storage, &key).await;
                let kept_out = setup.storage.replace(&now, next(&now.record, "quick")).await;
                assert_eq!(kind(kept_out), Ok(false), "after {polls} polls");
                stood += 1;
            }
            advance(DEFAULT_LEASE).await;
            let now = known(&setup.storage, &key).await;
            let quick = setup.storage.replace(&now, next(&now.record, "quick")).await;
            assert_eq!(kind(quick), Ok(true), "after {polls} polls");
            if result.is_none() && comes_back {
                let late = kind(slow.await);
                // It is refused, or has written before the others.
                assert!(late == Ok(written), "after {polls} polls: {late:?}");
                came_late += usize::from(!written);
            } else {
                std::mem::forget(slow);
            }
            let expected: &[u8] = b"quick";
            assert_eq!(
                setup.payload(&key).await,
                Lookup::Found(expected.into()),
                "after {polls} polls"
            );
        }
    }
    assert!(stood > 4 && came_late > 2, "{stood} {came_late}");
}

#[tokio::test(start_paused = true)]
async fn the_lock_of_a_dead_holder_is_held_until_its_lease_is_over() {
    let setup = Setup::new();
    let key = setup.created("0").await;
    let known = known(&setup.storage, &key).await;
    let dead = setup.locked(&key).await;
    let id = dead.lock.id();
    std::mem::forget(dead);
    for passed in [
        Duration::ZERO,
        DEFAULT_LEASE / 2,
        DEFAULT_LEASE / 2 - Duration::from_millis(1),
    ] {
        advance(passed).await;
        let result = setup.storage.replace(&known, next(&known.record, "1")).await;
        assert_eq!(kind(result), Ok(false));
        assert_eq!(setup.payload(&key).await, Lookup::Found("0".into()));
    }
    advance(Duration::from_millis(1)).await;
    let result = setup.storage.replace(&known, next(&known.record, "1")).await;
    assert_eq!(kind(result), Ok(true), "the lease is over");
    assert_eq!(kind(setup.storage.renew(&id).await), Err(StorageErrorKind::LockLost));
    assert_eq!(setup.payload(&key).await, Lookup::Found("1".into()));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_or_is_touched_before_the_write_is_not_written() {
    for destroyed in [true, false] {
        let setup = Setup::new();
        let key = setup.created("0").await;
        let known = known(&setup.storage, &key).await;
        let other = setup.storage.clone();
        let later = known.record.meta.last_active + Duration::from_secs(5);
        setup.store.just_before("replace", move || match destroyed {
            true => assert_eq!(
                crate::support::expect_ready(other.destroy(&key)).unwrap(),
                Lookup::Found(())
            ),
            false => assert!(crate::support::expect_ready(other.touch(&key, 1, None, later)).unwrap()),
        });
        let result = kind(setup.storage.replace(&known, next(&known.record, "undead")).await);
        match destroyed {
            true => assert!(matches!(result, Ok(false) | Err(StorageErrorKind::Gone)), "{result:?}"),
            false => assert_eq!(result, Ok(false)),
        }
        let entries = usize::from(!destroyed);
        assert_left(&setup, entries, "after one that came too late");
        if !destroyed {
            let record = self::known(&setup.storage, &key).await.record;
            assert_eq!((record.payload.as_ref(), record.meta.last_active), (&b"0"[..], later));
        }
    }
}

/// The outcome of the write is ambiguous: it is an error, is not repeated, and no waiter is delayed.
#[tokio::test(start_paused = true)]
async fn a_write_whose_reply_is_lost_is_an_error_and_not_repeated() {
    for retried in [false, true] {
        let setup = Setup::new();
        let key = setup.created("0").await;
        let known = known(&setup.storage, &key).await;
        let retry = Retry::new(setup.storage.clone(), Exponential::default());
        let storage: &dyn Storage = if retried { &retry } else { &setup.storage };
        setup.store.lose_reply_of("replace");
        setup.store.calls();
        let error = storage.replace(&known, next(&known.record, "1")).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.operation()),
            (StorageErrorKind::Unavailable, "replace")
        );
        let writes = setup
            .store
            .calls()
            .into_iter()
            .filter(|operation| *operation == "replace");
        assert_eq!(writes.count(), 1, "retried: {retried}");
        assert_eq!(setup.payload(&key).await, Lookup::Found("1".into()));
        // The lock is released in the background.
        tokio::time::timeout(Duration::from_secs(1), setup.storage.lock(&key, HOUR))
            .await
            .expect("the call does not wait for the lease")
            .unwrap();
        // A second attempt with the same `known` writes nothing.
        let again = storage.replace(&known, next(&known.record, "2")).await;
        assert_eq!(kind(again), Ok(false));
        assert_eq!(setup.payload(&key).await, Lookup::Found("1".into()));
        assert_left(&setup, 1, "in the end");
    }
}

/// An error before the write names `replace` as its operation.
#[tokio::test(start_paused = true)]
async fn errors_before_the_write_are_errors_of_replace() {
    for operation in ["head", "load"] {
        let setup = Setup::new();
        let key = setup.created("0").await;
        let known = known(&setup.storage, &key).await;
        setup.store.lose_reply_of(operation);
        let error = setup
            .storage
            .replace(&known, next(&known.record, "1"))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.operation()),
            (StorageErrorKind::Unavailable, "replace"),
            "{operation}"
        );
        assert_eq!(setup.payload(&key).await, Lookup::Found("0".into()));
        assert_left(&setup, 1, operation);
    }
}
