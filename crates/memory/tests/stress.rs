//! Many sessions, and many threads.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use common::*;
use sessile_core::{Clock, Lookup, Meta, Record, SessionKey, Storage, Timestamp};
use sessile_memory::{MemoryStats, MemoryStorage};

/// Pseudo-random numbers from a fixed seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Compares one shard with a map: a single shard grows and shrinks far.
#[tokio::test]
async fn one_shard_with_thousands_of_sessions_behaves_as_a_map() {
    for seed in 0..4 {
        let clock = manual_clock();
        let storage = MemoryStorage::builder()
            .clock(Arc::clone(&clock))
            .shards(1)
            .sweeper(false)
            .build();
        let mut numbers = Numbers(seed);
        let mut deadlines: HashMap<SessionKey, Option<Timestamp>> = HashMap::new();
        let mut keys: Vec<SessionKey> = Vec::new();
        // Up to some thousands, and down to none.
        for round in 0..30_000_u64 {
            let now = clock.now();
            let later = |numbers: &mut Numbers| {
                let after = Duration::from_millis(numbers.below(4_000));
                (numbers.below(8) > 0).then(|| now + after)
            };
            match numbers.below(10) {
                0..=5 if round < 20_000 => {
                    let (key, deadline) = (new_key(), later(&mut numbers));
                    let record = Record::new(Meta::new(now).with_deadline(deadline), "");
                    storage.create(&key, record).await.unwrap();
                    deadlines.insert(key, deadline);
                    keys.push(key);
                }
                6..=8 if !keys.is_empty() => {
                    let key = keys[numbers.below(keys.len() as u64) as usize];
                    let Some(deadline) = deadlines.get_mut(&key) else {
                        continue;
                    };
                    if deadline.is_some_and(|deadline| deadline <= now) {
                        continue;
                    }
                    let next = later(&mut numbers);
                    match numbers.below(3) {
                        0 => {
                            assert!(storage.touch(&key, 1, next, now).await.unwrap());
                            *deadline = deadline.zip(next).map(|(old, new)| old.max(new));
                        }
                        1 => {
                            let mut lock = take(&storage, &key).await;
                            let record = Record::new(Meta::new(now).with_deadline(next), "");
                            storage.commit(&mut lock, record).await.unwrap();
                            *deadline = next;
                        }
                        _ => {
                            assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Found(()));
                            deadlines.remove(&key);
                        }
                    }
                }
                _ => {
                    clock.advance(MS);
                    let now = clock.now();
                    let due: BTreeMap<_, _> = deadlines
                        .extract_if(|_, deadline| deadline.is_some_and(|deadline| deadline <= now))
                        .collect();
                    let swept = storage.sweep(usize::MAX).await.unwrap();
                    let swept: BTreeMap<_, _> = swept
                        .into_iter()
                        .map(|stored| (stored.key, stored.record.meta.deadline))
                        .collect();
                    assert_eq!(swept, due);
                }
            }
            if round % 128 == 0 {
                assert_eq!(storage.stats().stored, deadlines.len());
            }
        }
        for (key, deadline) in &deadlines {
            let meta = storage.read(key).await.unwrap().found().unwrap().record.meta;
            assert_eq!(meta.deadline, *deadline);
            storage.destroy(key).await.unwrap();
        }
        assert_eq!(storage.stats(), MemoryStats::default());
    }
}

/// Runs all operations concurrently on few keys, with leases and deadlines of milliseconds, cancelled waiters and two
/// sweepers.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_operations_leave_nothing_behind() {
    let storage = MemoryStorage::builder()
        .lease(5 * MS)
        .tombstone_ttl(5 * MS)
        .shards(2)
        .build();
    let families: Arc<Vec<[SessionKey; 4]>> = Arc::new((0..3).map(|_| rotated_keys()).collect());
    let tasks: Vec<_> = (0..8)
        .map(|seed| {
            let (storage, families) = (storage.clone(), Arc::clone(&families));
            tokio::spawn(async move {
                let mut numbers = Numbers(seed);
                for _ in 0..1_000 {
                    let family = &families[numbers.below(3) as usize];
                    let [key, other] = [(); 2].map(|()| &family[numbers.below(4) as usize]);
                    let span = Duration::from_micros(numbers.below(8_000));
                    let record = ending(&storage, "x", span);
                    match numbers.below(8) {
                        0 => drop(storage.create(key, record).await),
                        1 => drop(storage.destroy(key).await.unwrap()),
                        2 => drop(
                            storage
                                .touch(key, record.meta.version, record.meta.deadline, storage.clock().now())
                                .await,
                        ),
                        3 => drop(storage.sweep(2).await.unwrap()),
                        4 => drop(tokio::time::timeout(span / 8, storage.lock(key, SECOND)).await),
                        choice => {
                            let Ok(Lookup::Found(mut locked)) = storage.lock(key, 10 * MS).await else {
                                continue;
                            };
                            tokio::task::yield_now().await;
                            if choice == 5 {
                                drop(storage.rotate(&mut locked.lock, other, record, span).await);
                            } else if choice == 6 {
                                drop(storage.commit(&mut locked.lock, record).await);
                            }
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let start = std::time::Instant::now();
    while storage.stats() != MemoryStats::default() {
        assert!(start.elapsed() < 30 * SECOND, "{:?}", storage.stats());
        tokio::time::sleep(MS).await;
    }
}
