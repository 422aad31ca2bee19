//! [`MemoryStorageBuilder`].

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Clock, DEFAULT_LEASE, DEFAULT_MAX_WAITERS, Entropy, OsEntropy, SteadyClock};

use crate::capacity::Capacity;
use crate::shard::{Settings, Shard};
use crate::shared::Shared;
use crate::storage::MemoryStorage;
use crate::sweeper::Sweeper;

/// How many shards there are by default, at least and for each thread that can run at a time.
///
/// A thread that did nothing but change sessions out of a million would have one or another shard locked for about a
/// third of the time, as it waits for main memory meanwhile. If sixteen threads did so, one step in a hundred would
/// find its shard locked. A shard without sessions takes some 400 bytes.
const DEFAULT_SHARDS: (usize, usize) = (128, 32);

fn default_shards() -> usize {
    let (least, for_each) = DEFAULT_SHARDS;
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    least.max(threads.saturating_mul(for_each))
}

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
    max_bytes: Option<usize>,
    shards: usize,
    sweeper: bool,
}

impl MemoryStorageBuilder {
    pub(crate) fn new() -> Self {
        Self {
            clock: Arc::new(SteadyClock::start()),
            lease: DEFAULT_LEASE,
            max_waiters: DEFAULT_MAX_WAITERS,
            tombstone_ttl: Duration::from_secs(60),
            capacity: None,
            max_bytes: None,
            shards: default_shards(),
            sweeper: true,
        }
    }

    /// The clock by which deadlines and leases are judged. By default it is a [`SteadyClock`], started now: that the
    /// machine's clock is set ends no session and lengthens none. With the [`SystemClock`](sessile_core::SystemClock),
    /// dates are those of the machine even after that was set.
    ///
    /// It is asked while a part of the storage is locked, so it must be quick and must not use the storage.
    ///
    /// The storage's own sweeper is a thread outside of any runtime. A clock that only runs right within one, as the
    /// [`TokioClock`](sessile_core::TokioClock) of a test with paused time, wants the [sweeper](Self::sweeper) off.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets how long a lock is held without being renewed. 6 seconds by default.
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

    /// How many bytes all sessions together may take at most. Unlimited by default.
    ///
    /// A session counts as the length of its payload and [`SESSION_BYTES`](MemoryStorage::SESSION_BYTES); the mark
    /// that a rotation leaves at the old key counts as [`MOVED_BYTES`](MemoryStorage::MOVED_BYTES) for as long as it
    /// stands. Both are no less than what is allocated, but for some kilobytes that each [shard](Self::shards) keeps
    /// for those to come. Those who wait for locks do not count, nor does what is left free of a larger buffer that a
    /// long payload is a part of.
    ///
    /// Whatever would take more room than is left first removes some sessions that have expired, and fails with
    /// [`Full`](sessile_core::StorageErrorKind::Full) if that is not enough:
    /// [`create`](sessile_core::Storage::create), a [`commit`](sessile_core::Storage::commit) or
    /// [`replace`](sessile_core::Storage::replace) with a longer payload, and
    /// [`rotate`](sessile_core::Storage::rotate). Nothing is changed then, and a lock is still held. A live session
    /// is never removed to make room. A payload that does not grow is always accepted.
    ///
    /// ```
    /// use sessile_core::{Meta, OsEntropy, Record, SessionId, Storage, StorageErrorKind};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), sessile_core::StorageError> {
    /// let storage = MemoryStorage::builder().max_bytes(64 << 20).build();
    /// let record = |bytes: usize| Record::new(Meta::new(storage.clock().now()), vec![0; bytes]);
    /// let key = || SessionId::generate(&OsEntropy).key();
    ///
    /// storage.create(&key(), record(40 << 20)).await?;
    /// let refused = storage.create(&key(), record(40 << 20)).await;
    /// assert_eq!(refused.unwrap_err().kind(), StorageErrorKind::Full);
    /// assert_eq!(storage.stats().bytes, (40 << 20) + MemoryStorage::SESSION_BYTES);
    /// # Ok(()) }
    /// ```
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Into how many parts the storage is divided, each with a mutex of its own: at least one, and rounded up to a
    /// power of two, 65,536 at most. By default they are 32 for each thread that the process can run at a time, as
    /// [`available_parallelism`](std::thread::available_parallelism) tells, and no less than 128.
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
                capacity: Capacity::new(self.capacity, self.max_bytes),
                sweeper: Sweeper::new(self.sweeper.then(|| storage.clone())),
            });
            let (random, _) = random.as_chunks();
            let shard = |random: &[u8; 16]| Arc::new(Shard::new(*random, Arc::clone(&settings)));
            Shared::new(random.iter().map(shard).collect(), Arc::clone(&settings))
        }))
    }
}
