//! The model as an oracle: `MemoryStorage` gives the same results for random operations.
//!
//! Both were written independently, from the contract.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{
    Clock, Facts, Lock, Locked, Lookup, ManualClock, Meta, OsEntropy, Record, SessionId, SessionKey, Storage,
    StorageError, StorageErrorKind, Timestamp,
};
use sessile_memory::MemoryStorage;
use sessile_testkit::model::ModelState;
use sessile_testkit::{ModelStorage, seed};

/// Random numbers from a seed.
struct Random(u64);

impl Random {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll(bound as u64)).expect("less than a usize")
    }
}

/// The part of a result that can be compared.
#[derive(Debug, PartialEq)]
enum Observed {
    Failed(StorageErrorKind),
    Done,
    Found(SessionKey, Record),
    Touched(bool),
    Missing,
    Superseded,
    Listed(Vec<(SessionKey, Meta)>),
    Swept(Vec<SessionKey>),
}

/// A storage, and the locks that it granted, held or lost.
struct Side {
    storage: Box<dyn Storage>,
    locks: Vec<Lock>,
}

/// An operation and its arguments, equal for both storages.
#[derive(Debug)]
enum Action {
    Read(SessionKey),
    Lock(SessionKey),
    Create(SessionKey, Record),
    Commit(usize, Record),
    Rotate(usize, SessionKey, Record, Duration),
    Release(usize),
    Drop(usize),
    Renew(usize),
    Touch(SessionKey, u64, Option<Timestamp>, Timestamp),
    Destroy(SessionKey),
    Scan,
    Sweep,
}

fn done(result: Result<(), StorageError>) -> Observed {
    result.map_or_else(|error| Observed::Failed(error.kind()), |()| Observed::Done)
}

fn observe<T>(result: Result<Lookup<T>, StorageError>, found: impl FnOnce(T) -> Observed) -> Observed {
    match result {
        Ok(Lookup::Found(value)) => found(value),
        Ok(Lookup::Missing) => Observed::Missing,
        Ok(Lookup::Superseded) => Observed::Superseded,
        Err(error) => Observed::Failed(error.kind()),
    }
}

impl Side {
    async fn run(&mut self, action: &Action) -> Observed {
        let storage = &*self.storage;
        match action {
            Action::Read(key) => observe(storage.read(key).await, |stored| {
                Observed::Found(stored.key, stored.record)
            }),
            Action::Lock(key) => observe(
                storage.lock(key, Duration::ZERO).await,
                |Locked { lock, record, .. }| {
                    let observed = Observed::Found(*lock.key(), record);
                    self.locks.push(lock);
                    observed
                },
            ),
            Action::Create(key, record) => done(storage.create(key, record.clone()).await),
            Action::Commit(index, record) => done(storage.commit(&mut self.locks[*index], record.clone()).await),
            Action::Rotate(index, key, record, grace) => done(
                storage
                    .rotate(&mut self.locks[*index], key, record.clone(), *grace)
                    .await,
            ),
            Action::Release(index) => done(storage.release(self.locks.swap_remove(*index)).await),
            Action::Drop(index) => {
                drop(self.locks.swap_remove(*index));
                Observed::Done
            }
            Action::Renew(index) => done(storage.renew(&self.locks[*index].id()).await),
            Action::Touch(key, version, deadline, active) => {
                let touched = storage.touch(key, *version, *deadline, *active).await;
                touched.map_or_else(|error| Observed::Failed(error.kind()), Observed::Touched)
            }
            Action::Destroy(key) => observe(storage.destroy(key).await, |()| Observed::Done),
            Action::Scan => {
                let page = storage.scan(None, 1_000).await.expect("scan");
                let mut sessions: Vec<_> = page.sessions.into_iter().map(|head| (head.key, head.meta)).collect();
                sessions.sort_by_key(|(key, _)| *key);
                Observed::Listed(sessions)
            }
            Action::Sweep => {
                let swept = storage.sweep(1_000).await.expect("sweep");
                let mut keys: Vec<_> = swept.into_iter().map(|stored| stored.key).collect();
                keys.sort_unstable();
                Observed::Swept(keys)
            }
        }
    }
}

/// Keys of one shard. Ids are not reused, so a used key that is free again is replaced.
struct Keys {
    id: SessionId,
    keys: Vec<SessionKey>,
    used: BTreeSet<SessionKey>,
}

impl Keys {
    fn new() -> Self {
        let id = SessionId::generate(&OsEntropy);
        let keys = (0..5).map(|_| id.rotated(&OsEntropy).key()).collect();
        let used = BTreeSet::new();
        Self { id, keys, used }
    }

    fn any(&self, random: &mut Random) -> SessionKey {
        self.keys[random.below(self.keys.len())]
    }

    /// Returns a key that is new or in use.
    fn target(&mut self, random: &mut Random, state: &ModelState, now: Timestamp) -> SessionKey {
        let place = random.below(self.keys.len());
        if self.used.contains(&self.keys[place]) && state.find(&self.keys[place], now) == Lookup::Missing {
            self.keys[place] = self.id.rotated(&OsEntropy).key();
        }
        self.used.insert(self.keys[place]);
        self.keys[place]
    }
}

/// Returns facts that differ for each number below 256.
fn facts(number: u64) -> Facts {
    let name = format!("{number:03}");
    Facts::from_bytes(&[b"\x01\x03", name.as_bytes()].concat()).expect("an element with an owner of three bytes")
}

fn choose(random: &mut Random, keys: &mut Keys, locks: usize, state: &ModelState, now: Timestamp) -> Action {
    let key = keys.any(random);
    let held = random.below(locks.max(1));
    let soon = |random: &mut Random| now + Duration::from_millis(random.roll(4_000));
    let deadline = |random: &mut Random| (random.roll(4) > 0).then(|| soon(random));
    let record = |random: &mut Random| {
        let mut meta = Meta::new(now).with_deadline(deadline(random));
        meta.version = random.roll(100);
        if random.roll(3) == 0 {
            meta.facts = facts(random.roll(256));
        }
        Record::new(meta, random.roll(1_000_000).to_string())
    };
    match random.roll(if locks == 0 { 8 } else { 16 }) {
        0 | 1 => Action::Read(key),
        2 | 3 => Action::Lock(key),
        4 | 5 => Action::Create(keys.target(random, state, now), record(random)),
        6 => {
            let stored = state.read(&key, now).found();
            let version = stored.map_or(0, |stored| stored.record.meta.version);
            Action::Touch(key, version + random.roll(5) / 4, deadline(random), soon(random))
        }
        7 => match random.roll(4) {
            0 | 1 => Action::Destroy(key),
            2 => Action::Scan,
            _ => Action::Sweep,
        },
        8 | 9 => Action::Commit(held, record(random)),
        10..=12 => {
            let grace = Duration::from_millis(random.roll(2) * random.roll(3_000));
            Action::Rotate(held, keys.target(random, state, now), record(random), grace)
        }
        13 => Action::Release(held),
        14 => Action::Drop(held),
        _ => Action::Renew(held),
    }
}

#[tokio::test]
async fn memory_gives_the_results_of_the_model() {
    let first = seed();
    println!("seeds from {first}");
    for seed in (0..400).map(|offset| first.wrapping_add(offset)) {
        let mut random = Random(seed);
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
        let (lease, tombstone) = (Duration::from_millis(1_000), Duration::from_millis(1_500));
        let model = ModelStorage::new()
            .with_clock(Arc::clone(&clock))
            .with_lease(lease)
            .with_tombstone_ttl(tombstone);
        let memory = MemoryStorage::builder()
            .clock(Arc::clone(&clock))
            .lease(lease)
            .tombstone_ttl(tombstone);
        let oracle = model.clone();
        let side = |storage: Box<dyn Storage>| Side {
            storage,
            locks: Vec::new(),
        };
        let (mut model, mut memory) = (side(Box::new(model)), side(Box::new(memory.sweeper(false).build())));
        let mut keys = Keys::new();
        let mut steps = Vec::new();
        for _ in 0..250 {
            clock.advance(Duration::from_millis(random.roll(4) * random.roll(150)));
            let action = choose(&mut random, &mut keys, model.locks.len(), &oracle.state(), clock.now());
            let (expected, observed) = (model.run(&action).await, memory.run(&action).await);
            steps.push((clock.now(), action));
            let builder = || steps.iter().map(|action| format!("{action:?}\n")).collect::<String>();
            assert_eq!(observed, expected, "seed {seed}, after\n{}", builder());
            assert_eq!(memory.locks.len(), model.locks.len());
        }
    }
}
