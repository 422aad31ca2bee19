//! Replacing takes the lock for a moment: what others see of it, and what is left when it does not come to its end.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sessile_core::{
    DEFAULT_LEASE, Exponential, Lookup, Retry, SessionKey, Storage, StorageError, StorageErrorKind, Stored, TokioClock,
};
use tokio::time::advance;

use crate::cancellation::{at_every_point, cut};
use crate::support::{HOUR, MapStore, Setup, keys, next};

async fn known(storage: &dyn Storage, key: &SessionKey) -> Stored {
    storage.read(key).await.unwrap().found().expect("a live session")
}

fn kind<T>(result: Result<T, StorageError>) -> Result<T, StorageErrorKind> {
    result.map_err(|error| error.kind())
}

/// Nothing is locked, waited for or kept besides so many entries.
#[track_caller]
fn assert_left(setup: &Setup, entries: usize, what: &str) {
    let left = (setup.store.len(), setup.locks.in_use(), setup.storage.locks_held());
    assert_eq!(left, (entries, 0, 0), "{what}");
}

#[tokio::test(start_paused = true)]
async fn one_step_of_the_store_writes_and_the_lock_is_free_again() {
    let setup = Setup::new();
    let key = setup.created("0").await;
    let known = known(&setup.storage, &key).await;
    setup.store.calls();
    let replaced = setup.storage.replace(&known, next(&known.record, "1")).await;
    assert_eq!(kind(replaced), Ok(true));
    assert_eq!(setup.store.calls(), ["head", "load", "replace"]);
    assert_left(&setup, 1, "after a replace");
    // The record that was read before is another one now.
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
async fn by_an_alias_it_writes_nothing_and_locks_nothing() {
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
            let answer = storage.replace(&by_alias, next(&there.record, "late")).await;
            assert_eq!(kind(answer), Ok(false), "locked: {locked}");
            assert!(!setup.store.calls().contains(&"replace"));
        }
        drop(lock);
        assert_left(&setup, 2, "after a replace by an alias");
    }
    // The key that the read has named is the one to replace, and the alias leads there still.
    assert_eq!(kind(storage.replace(&there, next(&there.record, "1")).await), Ok(true));
    assert_eq!(known(storage, &old).await.record.payload, "1");
    advance(HOUR).await;
    let late = storage.replace(&before, next(&before.record, "late")).await;
    assert_eq!(kind(late), Err(StorageErrorKind::Superseded));
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_served_in_their_order_whoever_replaces() {
    let setup = Setup::new();
    let key = setup.created("0").await;
    let before = known(&setup.storage, &key).await;
    let held = setup.locked(&key).await;
    let (served, mut order) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..3 {
        let (setup, served) = (setup.clone(), served.clone());
        tokio::spawn(async move {
            let mut locked = setup.storage.lock(&key, HOUR).await.unwrap().found().unwrap();
            // The one that holds the lock is not overtaken either.
            let known = known(&setup.storage, &key).await;
            let answer = setup.storage.replace(&known, next(&known.record, "overtaken")).await;
            assert_eq!(kind(answer), Ok(false));
            let record = next(&locked.record, "served");
            setup.storage.commit(&mut locked.lock, record).await.unwrap();
            served.send(number).unwrap();
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..4 {
        let answer = setup.storage.replace(&before, next(&before.record, "late")).await;
        assert_eq!(kind(answer), Ok(false), "somebody holds the lock");
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

/// A visit that comes while the record is being replaced waits for that and no longer, and sees what was written.
#[tokio::test(start_paused = true)]
async fn who_comes_between_the_lock_and_the_write_waits_and_sees_it() {
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
async fn dropped_at_any_await_it_has_written_all_or_nothing_and_leaves_no_lock() {
    at_every_point(async |polls| {
        let setup = Setup::with(MapStore::yielding(), TokioClock::start());
        let key = setup.created("0").await;
        let known = known(&setup.storage, &key).await;
        let ended = cut(polls, async {
            let answer = setup.storage.replace(&known, next(&known.record, "1")).await;
            assert_eq!(kind(answer), Ok(true));
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

/// A process that dies, or stands still, while it replaces a record keeps others out until the lease is over, and no
/// longer; and should it come back, it takes nothing from those who were quicker.
#[tokio::test(start_paused = true)]
async fn one_that_stands_still_is_out_when_its_lease_is_over() {
    let (mut stood, mut came_late) = (0, 0);
    for polls in 1..32 {
        for comes_back in [false, true] {
            let setup = Setup::with(MapStore::yielding(), TokioClock::start());
            let key = setup.created("0").await;
            let before = known(&setup.storage, &key).await;
            let storage = setup.storage.clone();
            let first = before.clone();
            let mut slow = Box::pin(async move { storage.replace(&first, next(&first.record, "slow")).await });
            let mut answer = None;
            for _ in 0..polls {
                if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(slow.as_mut().poll(cx))).await {
                    answer = Some(done);
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
            if answer.is_none() && comes_back {
                let late = kind(slow.await);
                // It learns that it has come too late, or has written before the others did.
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
async fn the_lock_of_a_dead_holder_is_in_the_way_until_its_lease_is_over() {
    let setup = Setup::new();
    let key = setup.created("0").await;
    let known = known(&setup.storage, &key).await;
    let dead = setup.locked(&key).await;
    let ticket = dead.lock.ticket();
    std::mem::forget(dead);
    for passed in [
        Duration::ZERO,
        DEFAULT_LEASE / 2,
        DEFAULT_LEASE / 2 - Duration::from_millis(1),
    ] {
        advance(passed).await;
        let answer = setup.storage.replace(&known, next(&known.record, "1")).await;
        assert_eq!(kind(answer), Ok(false));
        assert_eq!(setup.payload(&key).await, Lookup::Found("0".into()));
    }
    advance(Duration::from_millis(1)).await;
    let answer = setup.storage.replace(&known, next(&known.record, "1")).await;
    assert_eq!(kind(answer), Ok(true), "the lease is over");
    assert_eq!(
        kind(setup.storage.renew(&ticket).await),
        Err(StorageErrorKind::LockLost)
    );
    assert_eq!(setup.payload(&key).await, Lookup::Found("1".into()));
}

#[tokio::test(start_paused = true)]
async fn of_a_session_that_ends_or_is_touched_before_the_write_nothing_is_written() {
    for destroyed in [true, false] {
        let setup = Setup::new();
        let key = setup.created("0").await;
        let known = known(&setup.storage, &key).await;
        let other = setup.storage.clone();
        let later = known.record.meta.last_active + Duration::from_secs(5);
        setup.store.just_before("replace", move || match destroyed {
            true => assert_eq!(crate::support::at_once(other.destroy(&key)).unwrap(), Lookup::Found(())),
            false => assert!(crate::support::at_once(other.touch(&key, 1, None, later)).unwrap()),
        });
        let answer = kind(setup.storage.replace(&known, next(&known.record, "undead")).await);
        match destroyed {
            true => assert!(matches!(answer, Ok(false) | Err(StorageErrorKind::Gone)), "{answer:?}"),
            false => assert_eq!(answer, Ok(false)),
        }
        let entries = usize::from(!destroyed);
        assert_left(&setup, entries, "after one that came too late");
        if !destroyed {
            let record = self::known(&setup.storage, &key).await.record;
            assert_eq!((record.payload.as_ref(), record.meta.last_active), (&b"0"[..], later));
        }
    }
}

/// The write may have been made, and nobody can tell: it is an error, it is not made again, and nobody is kept waiting.
#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_is_lost_is_an_error_and_not_made_again() {
    for retried in [false, true] {
        let setup = Setup::new();
        let key = setup.created("0").await;
        let known = known(&setup.storage, &key).await;
        let retry = Retry::new(setup.storage.clone(), Exponential::default());
        let storage: &dyn Storage = if retried { &retry } else { &setup.storage };
        setup.store.lose_answer_of("replace");
        setup.store.calls();
        let error = storage.replace(&known, next(&known.record, "1")).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.operation()),
            (StorageErrorKind::Unavailable, "replace")
        );
        let writes = setup.store.calls().into_iter().filter(|verb| *verb == "replace");
        assert_eq!(writes.count(), 1, "retried: {retried}");
        assert_eq!(setup.payload(&key).await, Lookup::Found("1".into()));
        // The lock comes back in the background.
        tokio::time::timeout(Duration::from_secs(1), setup.storage.lock(&key, HOUR))
            .await
            .expect("nobody waits for the lease")
            .unwrap();
        // A second try with the same knowledge does not write it once more.
        let again = storage.replace(&known, next(&known.record, "2")).await;
        assert_eq!(kind(again), Ok(false));
        assert_eq!(setup.payload(&key).await, Lookup::Found("1".into()));
        assert_left(&setup, 1, "in the end");
    }
}

/// An error before anything is written has the name of the call that failed.
#[tokio::test(start_paused = true)]
async fn what_fails_on_the_way_to_the_write_fails_as_a_replace() {
    for verb in ["head", "load"] {
        let setup = Setup::new();
        let key = setup.created("0").await;
        let known = known(&setup.storage, &key).await;
        setup.store.lose_answer_of(verb);
        let error = setup
            .storage
            .replace(&known, next(&known.record, "1"))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.operation()),
            (StorageErrorKind::Unavailable, "replace"),
            "{verb}"
        );
        assert_eq!(setup.payload(&key).await, Lookup::Found("0".into()));
        assert_left(&setup, 1, verb);
    }
}
