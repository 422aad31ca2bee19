//! Compares the storage with a small model of the contract, over sequences of operations that proptest generates.
//!
//! The model advances time by single milliseconds and expires everything at once, where the storage leaves that to
//! later operations. So it needs no sweeping, slots, heaps or positions, and states only what each operation may find.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::api::Api;
use common::{kind, manual_clock, rotated_keys};
use proptest::prelude::*;
use sessile_core::{
    Facts, Lock, Lookup, ManualClock, Meta, Record, SessionKey, Storage, StorageErrorKind, Stored, Timestamp,
};
use sessile_memory::MemoryStorage;

const KEYS: usize = 4;
/// The number of read records that are remembered, to be replaced later.
const KNOWN: usize = 3;
const LEASE: u64 = 10;
const TOMBSTONE: u64 = 8;

#[derive(Debug, Clone)]
enum Step {
    Create(usize, Option<u64>),
    Read(usize),
    Replace(usize, Option<u64>),
    Lock(usize),
    Commit(usize, Option<u64>),
    Rotate(usize, usize, Option<u64>, u64),
    Release(usize),
    Renew(usize),
    Touch(usize, Option<u64>, bool),
    Destroy(usize),
    Sweep(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..KEYS;
    let held = 0..4_usize;
    let deadline = || prop_oneof![1 => Just(None), 4 => (0..20_u64).prop_map(Some)];
    prop_oneof![
        4 => (key.clone(), deadline()).prop_map(|(key, deadline)| Step::Create(key, deadline)),
        4 => key.clone().prop_map(Step::Read),
        4 => (0..KNOWN, deadline()).prop_map(|(known, deadline)| Step::Replace(known, deadline)),
        6 => key.clone().prop_map(Step::Lock),
        3 => (held.clone(), deadline()).prop_map(|(held, deadline)| Step::Commit(held, deadline)),
        12 => (held.clone(), key.clone(), deadline(), prop_oneof![Just(0), 1..20_u64])
            .prop_map(|(held, key, deadline, grace)| Step::Rotate(held, key, deadline, grace)),
        1 => held.clone().prop_map(Step::Release),
        1 => held.prop_map(Step::Renew),
        2 => (key.clone(), deadline(), prop::bool::weighted(0.2))
            .prop_map(|(key, deadline, late)| Step::Touch(key, deadline, late)),
        1 => key.prop_map(Step::Destroy),
        1 => (0..4_usize).prop_map(Step::Sweep),
        4 => (1..12_u64).prop_map(Step::Pass),
    ]
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    record: Record,
    /// The holder of the lock, and the end of its lease.
    holder: Option<(u64, u64)>,
}

/// The state of a key.
#[derive(Debug, Clone, PartialEq)]
enum KeyState {
    Live(Entry),
    /// Past the deadline, and not swept yet.
    Expired,
    Alias {
        target: usize,
        until: u64,
        tombstone_until: u64,
    },
    Tombstone {
        target: usize,
        until: u64,
    },
}

#[derive(Default)]
struct Model {
    now: u64,
    states: BTreeMap<usize, KeyState>,
}

impl Model {
    fn pass(&mut self) {
        self.now += 1;
        for state in self.states.values_mut() {
            if let KeyState::Alias {
                target,
                until,
                tombstone_until,
            } = *state
                && until <= self.now
            {
                *state = KeyState::Tombstone {
                    target,
                    until: tombstone_until,
                };
            }
        }
        self.expire();
    }

    /// Expires records and tombstones whose time has come.
    fn expire(&mut self) {
        let now = Timestamp::from_millis(self.now);
        self.states
            .retain(|_, state| !matches!(state, KeyState::Tombstone { until, .. } if *until <= self.now));
        for state in self.states.values_mut() {
            if matches!(state, KeyState::Live(entry) if entry.record.meta.has_expired(now)) {
                *state = KeyState::Expired;
            }
        }
    }

    fn find(&self, key: usize) -> Lookup<usize> {
        match self.states.get(&key) {
            None | Some(KeyState::Expired) => Lookup::Missing,
            Some(KeyState::Live(_)) => Lookup::Found(key),
            Some(KeyState::Tombstone { .. }) => Lookup::Superseded,
            Some(KeyState::Alias { target, .. }) => match self.find(*target) {
                Lookup::Missing => Lookup::Superseded,
                found => found,
            },
        }
    }

    /// Finds the present key of a session, following aliases and tombstones.
    fn follow(&self, key: usize) -> Lookup<usize> {
        match self.states.get(&key) {
            None | Some(KeyState::Expired) => Lookup::Missing,
            Some(KeyState::Live(_)) => Lookup::Found(key),
            Some(KeyState::Tombstone { target, .. } | KeyState::Alias { target, .. }) => match self.follow(*target) {
                Lookup::Missing => Lookup::Superseded,
                found => found,
            },
        }
    }

    fn live(&mut self, key: usize) -> Result<(usize, &mut Entry), StorageErrorKind> {
        let key = match self.find(key) {
            Lookup::Found(key) => key,
            Lookup::Missing => return Err(StorageErrorKind::Gone),
            Lookup::Superseded => return Err(StorageErrorKind::Superseded),
        };
        match self.states.get_mut(&key) {
            Some(KeyState::Live(entry)) => Ok((key, entry)),
            _ => unreachable!("it was found"),
        }
    }

    fn held(&mut self, key: usize, holder: u64) -> Result<(usize, &mut Entry), StorageErrorKind> {
        let now = self.now;
        let (key, entry) = self.live(key)?;
        match entry.holder {
            Some((number, until)) if number == holder && now < until => Ok((key, entry)),
            _ => Err(StorageErrorKind::LockLost),
        }
    }
}

struct Held {
    lock: Lock,
    key: usize,
    number: u64,
}

/// The storage, the model, and the locks that were acquired from both.
struct Harness {
    storage: MemoryStorage,
    clock: Arc<ManualClock>,
    keys: [SessionKey; KEYS],
    model: Model,
    held: Vec<Held>,
    /// The records that were read, latest first, with the numbers of their keys.
    known: Vec<(usize, Stored)>,
    count: u64,
}

impl Harness {
    fn new() -> Self {
        let clock = manual_clock();
        let storage = MemoryStorage::builder()
            .clock(Arc::clone(&clock))
            .lease(Duration::from_millis(LEASE))
            .tombstone_ttl(Duration::from_millis(TOMBSTONE))
            .shards(1)
            .sweeper(false)
            .build();
        let now = storage.clock().now().as_millis();
        Self {
            storage,
            clock,
            keys: rotated_keys(),
            model: Model {
                now,
                ..Model::default()
            },
            held: Vec::new(),
            known: Vec::new(),
            count: 0,
        }
    }

    /// Returns a unique record that expires after so many milliseconds.
    fn record(&mut self, ends_after: Option<u64>) -> Record {
        self.count += 1;
        let now = Timestamp::from_millis(self.model.now);
        let deadline = ends_after.map(|after| now + Duration::from_millis(after));
        let mut meta = Meta::new(now).with_deadline(deadline);
        meta.version = self.count;
        if self.count.is_multiple_of(3) {
            let owner = [&[1, 8][..], &self.count.to_le_bytes().map(|byte| byte & 0x7f)].concat();
            meta.facts = Facts::from_bytes(&owner).expect("an element with an owner");
        }
        Record::new(meta, self.count.to_string())
    }

    async fn apply(&mut self, step: Step, immediate: bool) {
        let api = Api::new(&self.storage, immediate);
        match step {
            Step::Create(key, ends_after) => {
                let record = self.record(ends_after);
                let created = api.create(&self.keys[key], record.clone()).await;
                if self.model.find(key) == Lookup::Missing {
                    created.expect("nothing is there");
                    self.model
                        .states
                        .insert(key, KeyState::Live(Entry { record, holder: None }));
                } else {
                    assert_eq!(kind(created), StorageErrorKind::Exists);
                }
            }
            Step::Read(key) => {
                let Lookup::Found(stored) = api.read(&self.keys[key]).await.expect("read") else {
                    return;
                };
                let at = self.model.live(key).expect("it was found").0;
                assert_eq!(self.keys[at], stored.key);
                self.known.insert(0, (at, stored));
                self.known.truncate(KNOWN);
            }
            Step::Replace(index, ends_after) => {
                let record = self.record(ends_after);
                let Some((key, known)) = self.known.get(index) else {
                    return;
                };
                let result = api.replace(known, record.clone()).await.map_err(|error| error.kind());
                let now = self.model.now;
                let expected = self.model.live(*key).map(|(at, entry)| {
                    let is_free = entry.holder.is_none_or(|(_, until)| until <= now);
                    let is_known = at == *key && entry.record.meta == known.record.meta;
                    if is_free && is_known {
                        *entry = Entry { record, holder: None };
                    }
                    is_free && is_known
                });
                assert_eq!(result, expected);
            }
            Step::Lock(key) => self.lock(key, api).await,
            Step::Commit(index, ends_after) => {
                let record = self.record(ends_after);
                let Some(held) = self.held.get_mut(index) else { return };
                let result = api
                    .commit(&mut held.lock, record.clone())
                    .await
                    .map_err(|error| error.kind());
                let expected = self.model.held(held.key, held.number).map(|(_, entry)| {
                    *entry = Entry { record, holder: None };
                });
                assert_eq!(result, expected);
            }
            Step::Rotate(index, key, ends_after, grace) => self.rotate(index, key, ends_after, grace).await,
            Step::Release(index) => self.release(index, api).await,
            Step::Renew(index) => {
                let Some(held) = self.held.get(index) else { return };
                let result = self.storage.renew(&held.lock.id()).await.map_err(|error| error.kind());
                let until = self.model.now + LEASE;
                let held = self.model.held(held.key, held.number);
                assert_eq!(
                    result,
                    held.map(|(_, entry)| entry.holder = entry.holder.map(|(number, _)| (number, until)))
                );
            }
            Step::Touch(key, after, late) => {
                let now = Timestamp::from_millis(self.model.now);
                let deadline = after.map(|after| now + Duration::from_millis(after));
                let mut live = self.model.live(key);
                let version = live.as_ref().map_or(1, |(_, entry)| entry.record.meta.version) - u64::from(late);
                let result = self
                    .storage
                    .touch(&self.keys[key], version, deadline, now)
                    .await
                    .map_err(|error| error.kind());
                if let (Ok((_, entry)), false) = (&mut live, late) {
                    entry.record.meta.touch(deadline, now);
                }
                assert_eq!(result, live.map(|_| !late));
            }
            Step::Destroy(key) => {
                let destroyed = self.storage.destroy(&self.keys[key]).await.expect("destroyed");
                let found = self.model.follow(key);
                assert_eq!(destroyed, found.clone().map(|_| ()));
                if let Lookup::Found(key) = found {
                    self.model.states.remove(&key);
                }
            }
            Step::Sweep(limit) => {
                let swept = self.storage.sweep(limit).await.expect("swept");
                let expired = |model: &Model| {
                    model
                        .states
                        .values()
                        .filter(|state| **state == KeyState::Expired)
                        .count()
                };
                assert_eq!(swept.len(), limit.min(expired(&self.model)));
                for stored in swept {
                    let key = self
                        .keys
                        .iter()
                        .position(|key| *key == stored.key)
                        .expect("one of the keys");
                    assert_eq!(self.model.states.remove(&key), Some(KeyState::Expired));
                }
            }
            Step::Pass(millis) => {
                self.clock.advance(Duration::from_millis(millis));
                (0..millis).for_each(|_| self.model.pass());
            }
        }
        self.model.expire();
        self.compare().await;
    }

    async fn lock(&mut self, key: usize, api: Api) {
        let result = api.lock(&self.keys[key]).await;
        let now = self.model.now;
        let found = self.model.find(key);
        let Ok((at, entry)) = self.model.live(key) else {
            assert_eq!(result.expect("a lookup").map(|_| ()), found.map(|_| ()));
            return;
        };
        if entry.holder.is_some_and(|(_, until)| now < until) {
            assert_eq!(kind(result), StorageErrorKind::LockTimeout);
            return;
        }
        let locked = result.expect("the lock is free").found().expect("it is there");
        self.count += 1;
        entry.holder = Some((self.count, now + LEASE));
        assert_eq!(locked.record, entry.record);
        assert_eq!(*locked.lock.key(), self.keys[at]);
        self.held.push(Held {
            lock: locked.lock,
            key: at,
            number: self.count,
        });
        if self.held.len() > 4 {
            self.release(0, api).await;
        }
    }

    async fn release(&mut self, index: usize, api: Api) {
        if index >= self.held.len() {
            return;
        }
        let held = self.held.remove(index);
        api.release(held.lock).await.expect("released");
        // The lease may be over. Without a later holder, the lock is free all the same.
        if let Some(KeyState::Live(entry)) = self.model.states.get_mut(&held.key)
            && entry.holder.is_some_and(|(number, _)| number == held.number)
        {
            entry.holder = None;
        }
    }

    async fn rotate(&mut self, index: usize, new: usize, ends_after: Option<u64>, grace: u64) {
        let record = self.record(ends_after);
        let Some(held) = self.held.get_mut(index) else { return };
        let span = Duration::from_millis(grace);
        let result = self
            .storage
            .rotate(&mut held.lock, &self.keys[new], record.clone(), span)
            .await;
        let result = result.map_err(|error| error.kind());
        let old = match self.model.held(held.key, held.number) {
            Ok((old, _)) => old,
            Err(refused) => return assert_eq!(result, Err(refused)),
        };
        if self.model.find(new) != Lookup::Missing {
            return assert_eq!(result, Err(StorageErrorKind::Exists));
        }
        result.expect("rotated");
        let until = self.model.now + grace;
        let tombstone_until = until + TOMBSTONE;
        let left = if grace > 0 {
            KeyState::Alias {
                target: new,
                until,
                tombstone_until,
            }
        } else {
            KeyState::Tombstone {
                target: new,
                until: tombstone_until,
            }
        };
        self.model.states.insert(old, left);
        self.model
            .states
            .insert(new, KeyState::Live(Entry { record, holder: None }));
    }

    /// Asserts that the storage and the model show the same for every key.
    async fn compare(&mut self) {
        for (index, key) in self.keys.iter().enumerate() {
            // Both APIs are used by turns.
            let stored = Api::new(&self.storage, index % 2 == 0).read(key).await.expect("read");
            let expected = self.model.find(index).map(|at| match &self.model.states[&at] {
                KeyState::Live(entry) => (self.keys[at], entry.record.clone()),
                _ => unreachable!("it was found"),
            });
            assert_eq!(
                stored.map(|stored| (stored.key, stored.record)),
                expected,
                "key {index}"
            );
        }
        let count = |wanted: fn(&KeyState) -> bool| self.model.states.values().filter(|state| wanted(state)).count();
        let stats = self.storage.stats();
        let live = count(|state| matches!(state, KeyState::Live(_)));
        assert_eq!(
            (stats.live, stats.stored),
            (live, live + count(|state| *state == KeyState::Expired))
        );
        assert_eq!(
            self.storage.scan(None, 100).await.expect("scanned").sessions.len(),
            live
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_behaves_as_the_model_by_either_api(steps in prop::collection::vec((step(), any::<bool>()), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut harness = Harness::new();
            for (step, immediate) in steps {
                harness.apply(step, immediate).await;
            }
        });
    }
}
