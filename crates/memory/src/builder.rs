//! [`MemoryStorageBuilder`].

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Clock, DEFAULT_LEASE, DEFAULT_MAX_WAITERS, Entropy, OsEntropy, SystemClock};

use crate::capacity::Capacity;
use crate::shard::{Settings, Shard};
use crate::storage::{MemoryStorage, Shared};
use crate::sweeper::Sweeper;

/// How many shards there are by default. Two of sixteen busy threads meet in one of them now and then; an empty
/// storage takes some ten kilobytes.
const DEFAULT_SHARDS: usize = 128;

/// Sets up a [`MemoryStorage`].
///
/// ```
/// use std::time::Duration;
/// use sessile_memory::MemoryStorage;
///
/// let storage = MemoryStorage::builder()
///     .lease(Duration::from_secs(10))
///     .capacity(1_000_000)
///     .build();
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct MemoryStorageBuilder {
    clock: Arc<dyn Clock>,
    lease: Duration,
    max_waiters: usize,
    tombstone_ttl: Duration,
    capacity: Option<usize>,
    shards: usize,
    sweeper: bool,
}

impl MemoryStorageBuilder {
    pub(crate) fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            lease: DEFAULT_LEASE,
            max_waiters: DEFAULT_MAX_WAITERS,
            tombstone_ttl: Duration::from_secs(60),
            capacity: None,
            shards: DEFAULT_SHARDS,
            sweeper: true,
        }
    }

    /// The clock by which deadlines and leases are judged. By default it is the [`SystemClock`].
    ///
    /// It is asked while a part of the storage is locked, so it must be quick and must not use the storage.
    ///
    /// The storage's own sweeper is a thread outside of any runtime. A clock that only runs right within one, as the
    /// [`TokioClock`](sessile_core::TokioClock) of a test with paused time, wants the [sweeper](Self::sweeper) off.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// For how long a lock is held without being renewed. 30 seconds by default.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How many visits may wait for the lock of one session. 1,024 by default.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.max_waiters = max_waiters;
        self
    }

    /// For how long a tombstone stands where a session has moved away from. 60 seconds by default; with zero there
    /// are none.
    pub fn tombstone_ttl(mut self, tombstone_ttl: Duration) -> Self {
        self.tombstone_ttl = tombstone_ttl;
        self
    }

    /// How many sessions there may be at most. Unlimited by default.
    ///
    /// When they are as many, [`create`](sessile_core::Storage::create) first removes some that have expired, and
    /// fails with [`Full`](sessile_core::StorageErrorKind::Full) if there are none. A live session is never removed
    /// to make room.
    pub fn capacity(mut self, sessions: usize) -> Self {
        self.capacity = Some(sessions);
        self
    }

    /// Into how many parts the storage is divided, each with a mutex of its own: 128 by default, at least one, and
    /// rounded up to a power of two, 65,536 at most.
    ///
    /// More of them let more threads work side by side, and shorten the longest step (a part that grows is rearranged
    /// as a whole).
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }

    /// Whether the storage removes expired sessions by itself, with a thread of its own. On by default.
    ///
    /// Without it they leave when someone calls [`sweep`](sessile_core::Storage::sweep), which then returns every
    /// one of them.
    pub fn sweeper(mut self, sweeper: bool) -> Self {
        self.sweeper = sweeper;
        self
    }

    /// Makes the storage.
    ///
    /// # Panics
    ///
    /// If the operating system has no random bits to give; see [`OsEntropy`].
    #[must_use]
    pub fn build(self) -> MemoryStorage {
        let shards = self.shards.clamp(1, 1 << 16).next_power_of_two();
        let mut random = vec![0; shards * 16];
        OsEntropy.fill(&mut random);
        MemoryStorage::from(Arc::new_cyclic(|storage| {
            let settings = Arc::new(Settings {
                clock: self.clock,
                lease: self.lease,
                max_waiters: self.max_waiters,
                tombstone_ttl: self.tombstone_ttl,
                capacity: Capacity::new(self.capacity),
                sweeper: Sweeper::new(self.sweeper.then(|| storage.clone())),
            });
            let (random, _) = random.as_chunks();
            let shard = |random: &[u8; 16]| Arc::new(Shard::new(*random, Arc::clone(&settings)));
            Shared::new(random.iter().map(shard).collect(), Arc::clone(&settings))
        }))
    }
}
