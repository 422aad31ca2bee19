//! What is kept ends by the clock of the storage behind, to the millisecond, whatever time it is here.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Clock, Lookup, ManualClock, Meta, Record, Storage, SystemClock, Timestamp};
use sessile_memoized::MemoizedStorage;
use sessile_testkit::{Calls, Counting, ModelStorage, Verb};

use crate::support::{HOUR, Probing, SECOND, keys, read};

/// What is behind, by a clock that is so far from that of this machine.
fn behind(start: Timestamp) -> (Counting<ModelStorage>, Calls, Arc<ManualClock>) {
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

async fn ends_by_the_clock_behind(storage: &dyn Storage, clock: &ManualClock) {
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
async fn a_session_ends_by_the_clock_behind_that_is_an_hour_from_the_one_here() {
    for start in [an_hour_ago(), SystemClock.now() + HOUR] {
        let (inner, calls, clock) = behind(start);
        let storage = MemoizedStorage::builder(inner).exclusive();
        ends_by_the_clock_behind(&storage, &clock).await;
        assert_eq!(
            calls.of(Verb::Read),
            1,
            "only after its end is the storage behind asked for it"
        );

        let (inner, _, clock) = behind(start);
        let storage = MemoizedStorage::builder(Probing::new(inner)).validated();
        ends_by_the_clock_behind(&storage, &clock).await;
    }
}

#[tokio::test]
async fn a_clock_behind_that_is_set_ends_what_is_kept_and_nothing_else() {
    let (inner, calls, clock) = behind(SystemClock.now());
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
    // Set right again: what was there by the true time all along is there.
    clock.set(start);
    assert!(read(&storage, &one).await.is_found());
    assert!(read(&storage, &two).await.is_found());
    calls.reset();
    clock.set(start + SECOND);
    assert_eq!(read(&storage, &one).await, Lookup::Missing);
    assert!(read(&storage, &two).await.is_found());
    assert_eq!(calls.of(Verb::Read), 1);
}
