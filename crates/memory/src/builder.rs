//! [`MemoryStorageBuilder`], and the constructors of a storage.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Clock, DEFAULT_LEASE, DEFAULT_MAX_WAITERS, Entropy, OsEntropy, SteadyClock, Watchers};

use crate::alarm::Alarm;
use crate::capacity::Capacity;
use crate::options::Options;
use crate::shard::Shard;
use crate::shared::Shared;
use crate::storage::MemoryStorage;
use crate::sweeper;

/// The default number of shards: the least, and the number for each thread that can run at a time.
///
/// A thread that does nothing but change sessions out of a million holds the mutex of some shard for about a third of
/// the time, as it waits for main memory meanwhile. If sixteen threads do so, one step in a hundred finds its shard
/// locked. A shard without sessions takes some 400 bytes.
const DEFAULT_SHARDS: (usize, usize) = (128, 32);

fn default_shards() -> usize {
    let (least, for_each) = DEFAULT_SHARDS;
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    least.max(threads.saturating_mul(for_each))
}

/// Configures and builds a [`MemoryStorage`].
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

    /// Sets the clock for deadlines and leases. The default is a [`SteadyClock`], started now: setting the machine's
    /// clock ends no session and lengthens none. With the [`SystemClock`](sessile_core::SystemClock), dates follow the
    /// machine's clock even after it was set.
    ///
    /// The clock is read while a shard is locked, so it must be quick and must not use the storage.
    ///
    /// The sweeper is a thread outside of any runtime. Turn it [off](Self::sweeper) with a clock that works only inside
    /// a runtime, such as the [`TokioClock`](sessile_core::TokioClock) of a test with paused time.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets how long a lock is held without being renewed. The default is 6 seconds.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how many callers may wait for the lock of one session. The default is 1,024.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.max_waiters = max_waiters;
        self
    }

    /// Sets how long a tombstone stays at the old key of a rotated session. The default is 60 seconds; with zero there
    /// are no tombstones.
    pub fn tombstone_ttl(mut self, tombstone_ttl: Duration) -> Self {
        self.tombstone_ttl = tombstone_ttl;
        self
    }

    /// Sets the maximum number of sessions. There is no limit by default.
    ///
    /// At the limit, [`create`](sessile_core::Storage::create) first removes some expired sessions, and fails with
    /// [`Full`](sessile_core::StorageErrorKind::Full) if there are none. A live session is never evicted.
    pub fn capacity(mut self, sessions: usize) -> Self {
        self.capacity = Some(sessions);
        self
    }

    /// Sets the maximum size of all sessions together, in bytes. There is no limit by default.
    ///
    /// A session counts as the length of its payload and [`SESSION_BYTES`](MemoryStorage::SESSION_BYTES); if it has
    /// [facts](sessile_core::Facts), their length and 32 bytes are added. The alias or tombstone that a rotation leaves at the old key counts as [`MOVED_BYTES`](MemoryStorage::MOVED_BYTES)
    /// until it expires. Both are no less than what is allocated, except for some kilobytes of spare capacity in each
    /// [shard](Self::shards). Waiters for locks do not count, nor does the unused rest of a larger buffer that a long
    /// payload is a part of.
    ///
    /// An operation that needs more bytes than are left first removes some expired sessions, and fails with
    /// [`Full`](sessile_core::StorageErrorKind::Full) if that is not enough. Such operations are
    /// [`create`](sessile_core::Storage::create), [`commit`](sessile_core::Storage::commit) and
    /// [`replace`](sessile_core::Storage::replace) with a longer payload or longer facts, and
    /// [`rotate`](sessile_core::Storage::rotate). A failure changes nothing, and the lock is still held. A live session
    /// is never evicted. A record that does not grow is always accepted.
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

    /// Sets the number of shards, each with a mutex of its own: at least one, rounded up to a power of two, and 65,536
    /// at most. The default is 32 for each thread that the process can run at a time, by
    /// [`available_parallelism`](std::thread::available_parallelism), and no less than 128.
    ///
    /// More shards let more threads work in parallel, and shorten the longest step, which is resizing the index of a
    /// shard.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }

    /// Sets whether the storage removes expired sessions by itself, with a thread of its own. It does by default.
    ///
    /// Otherwise they are removed by calls of [`sweep`](sessile_core::Storage::sweep), which then returns every one of
    /// them.
    pub fn sweeper(mut self, sweeper: bool) -> Self {
        self.sweeper = sweeper;
        self
    }

    /// Builds the storage.
    ///
    /// # Panics
    ///
    /// If the operating system has no random bits to give; see [`OsEntropy`].
    #[must_use]
    pub fn build(self) -> MemoryStorage {
        let shards = self.shards.clamp(1, 1 << 16).next_power_of_two();
        let mut random = vec![0; shards * 16];
        OsEntropy.fill(&mut random);
        let shared = Arc::new_cyclic(|storage| {
            let options = Arc::new(Options {
                clock: self.clock,
                lease: self.lease,
                max_waiters: self.max_waiters,
                tombstone_ttl: self.tombstone_ttl,
                capacity: Capacity::new(self.capacity, self.max_bytes),
                alarm: Alarm::new(self.sweeper.then(|| sweeper::starter(storage.clone()))),
                watchers: Watchers::new(),
            });
            let (random, _) = random.as_chunks();
            let shard = |random: &[u8; 16]| Arc::new(Shard::new(*random, Arc::clone(&options)));
            Shared::new(random.iter().map(shard).collect(), Arc::clone(&options))
        });
        MemoryStorage { shared }
    }
}

impl MemoryStorage {
    /// Makes an empty storage with the defaults of its [builder](MemoryStorageBuilder).
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Returns a builder with default settings.
    pub fn builder() -> MemoryStorageBuilder {
        MemoryStorageBuilder::new()
    }
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new()
    }
}
