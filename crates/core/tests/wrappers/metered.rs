//! `Metered` counts and times calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use sessile_core::{Metered, Storage};
use sessile_testkit::{ModelStorage, Operation, Slow};

use crate::support::{keys, locked, next, record};

/// Keeps the recorded values by the name and labels of the metric: the total of counters and gauges, and each value of
/// histograms.
#[derive(Clone, Default)]
struct Seen {
    series: Arc<Mutex<BTreeMap<String, Vec<f64>>>>,
    described: Arc<Mutex<BTreeMap<String, Option<Unit>>>>,
}

/// One metric with its labels.
struct Series {
    name: String,
    seen: Seen,
}

impl Seen {
    fn series(&self, key: &Key) -> Arc<Series> {
        let mut labels: Vec<_> = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        labels.sort();
        let name = format!("{} {}", key.name(), labels.join(" "));
        let seen = self.clone();
        Arc::new(Series { name, seen })
    }

    fn of(&self, name: &str) -> Vec<f64> {
        self.series.lock().unwrap().get(name).cloned().unwrap_or_default()
    }

    fn describe(&self, name: &KeyName, unit: Option<Unit>) {
        self.described.lock().unwrap().insert(name.as_str().to_owned(), unit);
    }
}

impl Series {
    fn add(&self, value: f64) {
        let mut series = self.seen.series.lock().unwrap();
        let values = series.entry(self.name.clone()).or_insert_with(|| vec![0.0]);
        values[0] += value;
    }
}

impl CounterFn for Series {
    fn increment(&self, value: u64) {
        self.add(value as f64);
    }

    fn absolute(&self, _: u64) {
        panic!("calls are counted one by one");
    }
}

impl GaugeFn for Series {
    fn increment(&self, value: f64) {
        self.add(value);
    }

    fn decrement(&self, value: f64) {
        self.add(-value);
    }

    fn set(&self, _: f64) {
        panic!("calls are counted one by one");
    }
}

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        self.seen
            .series
            .lock()
            .unwrap()
            .entry(self.name.clone())
            .or_default()
            .push(value);
    }
}

impl Recorder for Seen {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&key, unit);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&key, unit);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&key, unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.series(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.series(key))
    }
}

#[test]
fn calls_are_counted_timed_and_shown_while_they_last() {
    let seen = Seen::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    metrics::with_local_recorder(&seen, || {
        Metered::<ModelStorage>::describe();
        runtime.block_on(async {
            let slow = Slow::new(ModelStorage::new());
            slow.delays().before(Operation::Read, Duration::from_secs(2));
            let storage = Metered::new(slow);
            let [key] = keys();
            storage.create(&key, record("0")).await.unwrap();
            storage.create(&key, record("0")).await.unwrap_err();
            storage.read(&key).await.unwrap();
            tokio::time::timeout(Duration::from_secs(1), storage.read(&key))
                .await
                .unwrap_err();
            let mut held = locked(&storage, &key).await;
            storage.lock(&key, Duration::ZERO).await.unwrap_err();
            storage.commit(&mut held.lock, next(&held.record, "1")).await.unwrap();
            storage.destroy(&key).await.unwrap();
            storage.destroy(&key).await.unwrap();

            // A call without a reply, still in progress when the numbers are read.
            let mut reading = storage.read(&key);
            std::future::poll_fn(|cx| {
                assert!(reading.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            std::mem::forget(reading);
        });
    });

    let counted = |operation, outcome| {
        let name = format!("sessile_storage_calls_total operation={operation} outcome={outcome} storage=model");
        seen.of(&name)
    };
    let expected = [
        ("create", "ok"),
        ("create", "exists"),
        ("read", "found"),
        ("read", "cancelled"),
        ("lock", "found"),
        ("lock", "lock_timeout"),
        ("commit", "ok"),
        ("destroy", "found"),
        ("destroy", "missing"),
    ];
    for (operation, outcome) in expected {
        assert_eq!(counted(operation, outcome), [1.0], "{operation} {outcome}");
    }
    let names: Vec<_> = seen.series.lock().unwrap().keys().cloned().collect();
    let counters = names
        .iter()
        .filter(|name| name.starts_with("sessile_storage_calls_total"))
        .count();
    assert_eq!(counters, expected.len(), "{names:?}");

    assert_eq!(
        seen.of("sessile_storage_call_seconds operation=read storage=model"),
        [2.0, 1.0]
    );
    let in_flight = |operation| {
        seen.of(&format!(
            "sessile_storage_calls_in_flight operation={operation} storage=model"
        ))
    };
    assert_eq!((in_flight("read"), in_flight("commit")), (vec![1.0], vec![0.0]));

    let units = seen.described.lock().unwrap().clone();
    for name in names {
        let (name, _) = name.split_once(' ').unwrap();
        assert!(units[name].is_some(), "{name} has no unit");
    }
}

#[tokio::test]
async fn values_of_another_type_are_counted_by_outcome() {
    use sessile_core::{OnMismatch, Session, Untyped, Visit};
    const NUMBER: sessile_core::Key<Untyped, u64> = sessile_core::Key::new("number");
    let seen = Seen::default();
    let session: Session = Session::builder(ModelStorage::new()).build();
    let work = async {
        session.set("number", "seven")?;
        metrics::with_local_recorder(&seen, || {
            let _ = session.get(NUMBER);
            let _ = session.get(NUMBER.on_mismatch(OnMismatch::Unset));
            let _ = session.get(NUMBER.on_mismatch(OnMismatch::Unset));
            let _ = session.get(NUMBER.on_mismatch(OnMismatch::Default(u64::default)));
            let _ = session.get(NUMBER.migrate(|_| Some(7)));
            let _ = session.get("number");
        });
        Ok(())
    };
    session.enter(Visit::new(), work).await.unwrap();
    for (outcome, count) in [("fail", 1.0), ("unset", 2.0), ("default", 1.0), ("migrate", 1.0)] {
        let name = format!("sessile_value_mismatches_total outcome={outcome}");
        assert_eq!(seen.of(&name), [count], "{outcome}");
    }
}

#[test]
fn postponed_operations_are_counted() {
    use sessile_core::{DAY, Expiration, ManualClock, Session, SessionError, StorageErrorKind, Timestamp, Visit};
    use sessile_testkit::{Fault, Faulty};
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000)));
    let storage = Faulty::new(ModelStorage::new().with_clock(Arc::clone(&clock)));
    let faults = storage.faults();
    let session: Session = Session::builder(storage)
        .default_expiration(Expiration::sliding(DAY))
        .build();
    let seen = Seen::default();
    let visits = async {
        let make = async {
            session.set("number", 7)?;
            session.close().await?;
            session.id().ok_or(SessionError::Gone)
        };
        let id = session.enter(Visit::new(), make).await?.output;
        clock.advance(DAY / 2);
        let down = || Fault::before(StorageErrorKind::Unavailable);
        faults.fail(Operation::Touch, 1, down());
        faults.fail(Operation::Touch, 2, down());
        faults.fail_next(Operation::Release, down());
        session.enter(id.into(), async { Ok(()) }).await
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    metrics::with_local_recorder(&seen, || runtime.block_on(visits)).unwrap();
    assert_eq!(seen.of("sessile_deferred_operations_total operation=slide"), [2.0]);
    assert_eq!(seen.of("sessile_deferred_operations_total operation=release"), [1.0]);
}
