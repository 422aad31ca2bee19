//! The model as an oracle: `MemoryStorage` gives the same results for random operations.
//!
//! Both were written independently, from the contract.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{
    Clock, Lock, Locked, Lookup, ManualClock, Meta, OsEntropy, Record, SessionId, SessionKey, Storage, StorageError,
    StorageErrorKind, Timestamp,
};
use sessile_memory::MemoryStorage;
use sessile_testkit::{ModelState, ModelStorage, seed};

/// Random numbers from a seed.
struct Dice(u64);

impl Dice {
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
enum Said {
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
enum Step {
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

fn done(result: Result<(), StorageError>) -> Said {
    result.map_or_else(|error| Said::Failed(error.kind()), |()| Said::Done)
}

fn looked<T>(result: Result<Lookup<T>, StorageError>, found: impl FnOnce(T) -> Said) -> Said {
    match result {
        Ok(Lookup::Found(value)) => found(value),
        Ok(Lookup::Missing) => Said::Missing,
        Ok(Lookup::Superseded) => Said::Superseded,
        Err(error) => Said::Failed(error.kind()),
    }
}

impl Side {
    async fn take(&mut self, step: &Step) -> Said {
        let storage = &*self.storage;
        match step {
            Step::Read(key) => looked(storage.read(key).await, |stored| Said::Found(stored.key, stored.record)),
            Step::Lock(key) => looked(
                storage.lock(key, Duration::ZERO).await,
                |Locked { lock, record, .. }| {
                    let said = Said::Found(*lock.key(), record);
                    self.locks.push(lock);
                    said
                },
            ),
            Step::Create(key, record) => done(storage.create(key, record.clone()).await),
            Step::Commit(index, record) => done(storage.commit(&mut self.locks[*index], record.clone()).await),
            Step::Rotate(index, key, record, grace) => done(
                storage
                    .rotate(&mut self.locks[*index], key, record.clone(), *grace)
                    .await,
            ),
            Step::Release(index) => done(storage.release(self.locks.swap_remove(*index)).await),
            Step::Drop(index) => {
                drop(self.locks.swap_remove(*index));
                Said::Done
            }
            Step::Renew(index) => done(storage.renew(&self.locks[*index].ticket()).await),
            Step::Touch(key, version, deadline, active) => {
                let touched = storage.touch(key, *version, *deadline, *active).await;
                touched.map_or_else(|error| Said::Failed(error.kind()), Said::Touched)
            }
            Step::Destroy(key) => looked(storage.destroy(key).await, |()| Said::Done),
            Step::Scan => {
                let page = storage.scan(None, 1_000).await.expect("scan");
                let mut sessions = page.sessions;
                sessions.sort_by_key(|(key, _)| *key);
                Said::Listed(sessions)
            }
            Step::Sweep => {
                let swept = storage.sweep(1_000).await.expect("sweep");
                let mut keys: Vec<_> = swept.into_iter().map(|stored| stored.key).collect();
                keys.sort_unstable();
                Said::Swept(keys)
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

    fn any(&self, dice: &mut Dice) -> SessionKey {
        self.keys[dice.below(self.keys.len())]
    }

    /// Returns a key that is new or in use.
    fn target(&mut self, dice: &mut Dice, state: &ModelState, now: Timestamp) -> SessionKey {
        let place = dice.below(self.keys.len());
        if self.used.contains(&self.keys[place]) && state.find(&self.keys[place], now) == Lookup::Missing {
            self.keys[place] = self.id.rotated(&OsEntropy).key();
        }
        self.used.insert(self.keys[place]);
        self.keys[place]
    }
}

fn choose(dice: &mut Dice, keys: &mut Keys, locks: usize, state: &ModelState, now: Timestamp) -> Step {
    let key = keys.any(dice);
    let held = dice.below(locks.max(1));
    let soon = |dice: &mut Dice| now + Duration::from_millis(dice.roll(4_000));
    let deadline = |dice: &mut Dice| (dice.roll(4) > 0).then(|| soon(dice));
    let record = |dice: &mut Dice| {
        let mut meta = Meta::new(now).with_deadline(deadline(dice));
        meta.version = dice.roll(100);
        Record::new(meta, dice.roll(1_000_000).to_string())
    };
    match dice.roll(if locks == 0 { 8 } else { 16 }) {
        0 | 1 => Step::Read(key),
        2 | 3 => Step::Lock(key),
        4 | 5 => Step::Create(keys.target(dice, state, now), record(dice)),
        6 => {
            let stored = state.read(&key, now).found();
            let version = stored.map_or(0, |stored| stored.record.meta.version);
            Step::Touch(key, version + dice.roll(5) / 4, deadline(dice), soon(dice))
        }
        7 => match dice.roll(4) {
            0 | 1 => Step::Destroy(key),
            2 => Step::Scan,
            _ => Step::Sweep,
        },
        8 | 9 => Step::Commit(held, record(dice)),
        10..=12 => {
            let grace = Duration::from_millis(dice.roll(2) * dice.roll(3_000));
            Step::Rotate(held, keys.target(dice, state, now), record(dice), grace)
        }
        13 => Step::Release(held),
        14 => Step::Drop(held),
        _ => Step::Renew(held),
    }
}

#[tokio::test]
async fn memory_answers_as_the_model_does() {
    let first = seed();
    println!("seeds from {first}");
    for seed in (0..400).map(|offset| first.wrapping_add(offset)) {
        let mut dice = Dice(seed);
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
            clock.advance(Duration::from_millis(dice.roll(4) * dice.roll(150)));
            let step = choose(&mut dice, &mut keys, model.locks.len(), &oracle.state(), clock.now());
            let (expected, said) = (model.take(&step).await, memory.take(&step).await);
            steps.push((clock.now(), step));
            let builder = || steps.iter().map(|step| format!("{step:?}\n")).collect::<String>();
            assert_eq!(said, expected, "seed {seed}, after\n{}", builder());
            assert_eq!(memory.locks.len(), model.locks.len());
        }
    }
}
