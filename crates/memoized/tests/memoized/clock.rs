//! Cached sessions expire by the clock of the inner storage, to the millisecond, and not by the clock of this machine.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Clock, Lookup, ManualClock, Meta, Record, Storage, SystemClock, Timestamp};
use sessile_memoized::MemoizedStorage;
use sessile_testkit::{Calls, Counting, ModelStorage, Operation};

use crate::support::{HOUR, Probing, SECOND, keys, read};

/// Returns an inner storage whose clock starts at this time, with its counters and its clock.
fn inner_storage(start: Timestamp) -> (Counting<ModelStorage>, Calls, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(start));
    let model = ModelStorage::new().with_clock(Arc::clone(&clock));
    let counting = Counting::new(model);
    let calls = counting.calls();
    (counting, calls, clock)
}

fn an_hour_ago() -> Timestamp {
    let hour = u64::try_from(HOUR.as_millis()).expect("an hour");
    Timestamp::from_millis(SystemClock.now().as_millis() - hour)
}

async fn assert_expiry_by_inner_clock(storage: &dyn Storage, clock: &ManualClock) {
    let [key] = keys();
    let meta = Meta::new(clock.now()).with_deadline(Some(clock.now() + SECOND));
    storage.create(&key, Record::new(meta, "x")).await.unwrap();
    assert!(read(storage, &key).await.is_found());
    clock.advance(SECOND - Duration::from_millis(1));
    assert!(read(storage, &key).await.is_found());
    clock.advance(Duration::from_millis(1));
    assert_eq!(read(storage, &key).await, Lookup::Missing);
}

#[tokio::test]
async fn a_session_expires_by_an_inner_clock_that_is_an_hour_off() {
    for start in [an_hour_ago(), SystemClock.now() + HOUR] {
        let (inner, calls, clock) = inner_storage(start);
        let storage = MemoizedStorage::builder(inner).exclusive();
        assert_expiry_by_inner_clock(&storage, &clock).await;
        assert_eq!(
            calls.of(Operation::Read),
            1,
            "the inner storage is read only after the deadline"
        );

        let (inner, _, clock) = inner_storage(start);
        let storage = MemoizedStorage::builder(Probing::new(inner)).validated();
        assert_expiry_by_inner_clock(&storage, &clock).await;
    }
}

#[tokio::test]
async fn setting_the_inner_clock_expires_only_sessions_that_are_due() {
    let (inner, calls, clock) = inner_storage(SystemClock.now());
    let storage = MemoizedStorage::builder(inner).exclusive();
    let start = clock.now();
    let [short, long] =
        [SECOND, 2 * HOUR].map(|life| Record::new(Meta::new(start).with_deadline(Some(start + life)), "x"));
    let [[one], [two]] = [keys(), keys()];
    storage.create(&one, short).await.unwrap();
    storage.create(&two, long).await.unwrap();

    clock.set(start + HOUR);
    assert_eq!(read(&storage, &one).await, Lookup::Missing);
    assert!(read(&storage, &two).await.is_found());
    // The clock is corrected: a session that is live by the correct time is there.
    clock.set(start);
    assert!(read(&storage, &one).await.is_found());
    assert!(read(&storage, &two).await.is_found());
    calls.reset();
    clock.set(start + SECOND);
    assert_eq!(read(&storage, &one).await, Lookup::Missing);
    assert!(read(&storage, &two).await.is_found());
    assert_eq!(calls.of(Operation::Read), 1);
}
