//! Random sequences of operations, compared with the model.

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use sessile_core::{
    Facts, LocalLocks, Locked, LockedStore, Lookup, ManualClock, Meta, Record, SessionKey, Storage, StorageError,
    StorageErrorKind, Stored, Timestamp,
};
use sessile_testkit::ModelStorage;

use crate::support::{MapStore, expect_ready, keys};

const LEASE: Duration = Duration::from_secs(30);

/// One step. Numbers choose, modulo the number of candidates, a key that was used or a lock that was granted.
#[derive(Debug, Clone)]
enum Step {
    /// Creates a session under a new key.
    Create {
        life: Option<u64>,
    },
    CreateAgain {
        key: usize,
    },
    Read {
        key: usize,
    },
    Lock {
        key: usize,
    },
    Commit {
        lock: usize,
        life: Option<u64>,
    },
    /// Rotates to a new key.
    Rotate {
        lock: usize,
        grace: u64,
        life: Option<u64>,
    },
    RotateOnto {
        lock: usize,
        key: usize,
    },
    Release {
        lock: usize,
    },
    Renew {
        lock: usize,
    },
    Touch {
        key: usize,
        life: Option<u64>,
        late: bool,
    },
    Destroy {
        key: usize,
    },
    Scan,
    Sweep,
    Pass {
        seconds: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let life = || prop::option::weighted(0.8, 1..200_u64);
    let any = || 0..1_000_usize;
    let any_bool = || prop::bool::weighted(0.2);
    prop_oneof![
        3 => life().prop_map(|life| Step::Create { life }),
        1 => any().prop_map(|key| Step::CreateAgain { key }),
        4 => any().prop_map(|key| Step::Read { key }),
        6 => any().prop_map(|key| Step::Lock { key }),
        4 => (any(), life()).prop_map(|(lock, life)| Step::Commit { lock, life }),
        4 => (any(), prop_oneof![Just(0), 1..100_u64], life())
            .prop_map(|(lock, grace, life)| Step::Rotate { lock, grace, life }),
        1 => (any(), any()).prop_map(|(lock, key)| Step::RotateOnto { lock, key }),
        2 => any().prop_map(|lock| Step::Release { lock }),
        2 => any().prop_map(|lock| Step::Renew { lock }),
        2 => (any(), life(), any_bool()).prop_map(|(key, life, late)| Step::Touch { key, life, late }),
        1 => any().prop_map(|key| Step::Destroy { key }),
        1 => Just(Step::Scan),
        1 => Just(Step::Sweep),
        3 => (0..40_u64).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

/// The comparable part of the result of a step.
#[derive(Debug, PartialEq)]
enum StepResult {
    Nothing,
    Done,
    Refused(StorageErrorKind),
    Read(Lookup<Stored>),
    Touched(bool),
    Destroyed(Lookup<()>),
    Sessions(Vec<(SessionKey, Meta)>),
    Swept(Vec<(SessionKey, Record)>),
}

/// A storage, and the locks that it has granted.
struct Fixture<S> {
    storage: S,
    locks: Vec<Option<Locked>>,
}

fn done(result: Result<(), StorageError>) -> StepResult {
    match result {
        Ok(()) => StepResult::Done,
        Err(error) => StepResult::Refused(error.kind()),
    }
}

fn held(locks: &mut [Option<Locked>], number: usize) -> Option<&mut Locked> {
    let count = locks.len().max(1);
    locks.get_mut(number % count).and_then(Option::as_mut)
}

impl<S: Storage> Fixture<S> {
    fn new(storage: S) -> Self {
        let locks = Vec::new();
        Self { storage, locks }
    }

    /// Runs a step. `used` are the keys of earlier steps, `new` is a key for this one.
    fn run(&mut self, step: &Step, number: usize, used: &[SessionKey], new: SessionKey) -> StepResult {
        let now = self.storage.clock().now();
        let at = |life: &Option<u64>| life.map(|life| now + Duration::from_secs(life));
        let key = |number: &usize| used[number % used.len()];
        let record = |version: u64, life: &Option<u64>| {
            let mut meta = Meta::new(Timestamp::from_millis(7)).with_deadline(at(life));
            meta.version = version;
            if number.is_multiple_of(3) {
                let owner = [&[1, 8][..], &number.to_le_bytes().map(|byte| byte & 0x7f)].concat();
                meta.facts = Facts::from_bytes(&owner).unwrap();
            }
            Record::new(meta, format!("payload of step {number}"))
        };
        let storage = &self.storage;
        let locks = &mut self.locks;
        match step {
            Step::Create { life } => done(expect_ready(storage.create(&new, record(1, life)))),
            Step::CreateAgain { key: again } => done(expect_ready(storage.create(&key(again), record(1, &None)))),
            Step::Read { key: of } => StepResult::Read(expect_ready(storage.read(&key(of))).unwrap()),
            Step::Lock { key: of } => match expect_ready(storage.lock(&key(of), Duration::ZERO)) {
                Ok(Lookup::Found(locked)) => {
                    let stored = Stored::new(*locked.lock.key(), locked.record.clone());
                    locks.push(Some(locked));
                    StepResult::Read(Lookup::Found(stored))
                }
                Ok(Lookup::Missing) => StepResult::Read(Lookup::Missing),
                Ok(Lookup::Superseded) => StepResult::Read(Lookup::Superseded),
                Err(error) => StepResult::Refused(error.kind()),
            },
            Step::Commit { lock: by, life } => held(locks, *by).map_or(StepResult::Nothing, |held| {
                let record = record(held.record.meta.version + 1, life);
                done(expect_ready(storage.commit(&mut held.lock, record)))
            }),
            Step::Rotate { lock: by, grace, life } => held(locks, *by).map_or(StepResult::Nothing, |held| {
                let record = record(held.record.meta.version + 1, life);
                let grace = Duration::from_secs(*grace);
                done(expect_ready(storage.rotate(&mut held.lock, &new, record, grace)))
            }),
            Step::RotateOnto { lock: by, key: onto } => held(locks, *by).map_or(StepResult::Nothing, |held| {
                // A session never moves back to a missing key, as ids are not used twice.
                if !expect_ready(storage.read(&key(onto))).unwrap().is_found() {
                    return StepResult::Nothing;
                }
                let record = record(held.record.meta.version + 1, &None);
                done(expect_ready(storage.rotate(
                    &mut held.lock,
                    &key(onto),
                    record,
                    Duration::ZERO,
                )))
            }),
            Step::Release { lock: by } => {
                let count = locks.len().max(1);
                let held = locks.get_mut(by % count).and_then(Option::take);
                held.map_or(StepResult::Nothing, |held| {
                    done(expect_ready(storage.release(held.lock)))
                })
            }
            Step::Renew { lock: by } => held(locks, *by).map_or(StepResult::Nothing, |held| {
                done(expect_ready(storage.renew(&held.lock.id())))
            }),
            Step::Touch { key: of, life, late } => {
                let read = expect_ready(storage.read(&key(of))).unwrap().found();
                let version = read.map_or(1, |stored| stored.record.meta.version) - u64::from(*late);
                match expect_ready(storage.touch(&key(of), version, at(life), now)) {
                    Ok(touched) => StepResult::Touched(touched),
                    Err(error) => StepResult::Refused(error.kind()),
                }
            }
            Step::Destroy { key: of } => StepResult::Destroyed(expect_ready(storage.destroy(&key(of))).unwrap()),
            Step::Scan => {
                let sessions = expect_ready(storage.scan(None, 1_000)).unwrap().sessions;
                let mut sessions: Vec<_> = sessions.into_iter().map(|head| (head.key, head.meta)).collect();
                sessions.sort_by_key(|(key, _)| *key);
                StepResult::Sessions(sessions)
            }
            Step::Sweep => {
                let swept = expect_ready(storage.sweep(1_000)).unwrap();
                let mut swept: Vec<_> = swept.into_iter().map(|stored| (stored.key, stored.record)).collect();
                swept.sort_by_key(|(key, _)| *key);
                StepResult::Swept(swept)
            }
            Step::Pass { .. } => StepResult::Nothing,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_locked_store_returns_the_same_as_the_model(steps in vec(step(), 1..60)) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
        let store = MapStore::default();
        let locks = LocalLocks::builder().clock(Arc::clone(&clock)).lease(LEASE).build();
        let mut locked_store = Fixture::new(LockedStore::new(store.clone(), locks.clone()));
        let model = ModelStorage::new().with_clock(Arc::clone(&clock)).with_lease(LEASE);
        let mut model = Fixture::new(model);
        let mut used = keys::<1>().to_vec();
        for (number, step) in steps.iter().enumerate() {
            let [new] = keys();
            let results = [model.run(step, number, &used, new), locked_store.run(step, number, &used, new)];
            prop_assert_eq!(&results[0], &results[1], "step {}, {:?}: the model is on the left", number, step);
            used.push(new);
            if let Step::Pass { seconds } = step {
                clock.advance(Duration::from_secs(*seconds));
            }
        }
        // When all locks are dropped and all sessions are destroyed or swept, nothing is left.
        locked_store.locks.clear();
        prop_assert_eq!(locks.in_use(), 0);
        prop_assert_eq!(locked_store.storage.locks_held(), 0);
        for key in &used {
            expect_ready(locked_store.storage.destroy(key)).unwrap();
        }
        clock.advance(Duration::from_secs(86_400));
        expect_ready(locked_store.storage.sweep(1_000)).unwrap();
        prop_assert_eq!(store.len(), 0);
    }
}
