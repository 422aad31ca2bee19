//! [`Subject`] and [`Profile`]: the storage under test, and its permitted differences.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{DEFAULT_MAX_WAITERS, IntoStorage, Storage};

use crate::kit::immediate::ImmediateView;

/// A storage under test, created for each case.
///
/// ```
/// use sessile_testkit::{ModelStorage, Profile, Subject};
///
/// async fn subject() -> Subject {
///     let storage = ModelStorage::new().with_max_waiters(8);
///     let profile = Profile::paused().with_max_waiters(8).with_usage();
///     let observed = storage.clone();
///     Subject::new(storage.clone(), profile)
///         .with_second(storage)
///         .with_footprint(move || std::future::ready(observed.footprint()))
/// }
/// ```
pub struct Subject {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) second: Option<Arc<dyn Storage>>,
    pub(crate) footprint: Option<Footprint>,
    pub(crate) profile: Profile,
    pub(crate) guards: Vec<Box<dyn Any + Send + Sync>>,
}

pub(crate) type Footprint = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = usize> + Send>> + Send + Sync>;

impl Subject {
    /// Creates a subject with this storage, which must be empty and used by nothing else, and its profile.
    pub fn new(storage: impl IntoStorage, profile: Profile) -> Self {
        Self {
            storage: storage.into_storage(),
            second: None,
            footprint: None,
            profile,
            guards: Vec::new(),
        }
    }

    /// Sets another handle on the same data, as a second process has it. If the storage can be opened twice, the handle
    /// should share no memory with the first.
    #[must_use]
    pub fn with_second(mut self, storage: impl IntoStorage) -> Self {
        self.second = Some(storage.into_storage());
        self
    }

    /// Sets a function that counts all entries: records, locks, tombstones and empty entries. Cases then check that
    /// nothing stays behind.
    #[must_use]
    pub fn with_footprint<F>(mut self, count: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = usize> + Send + 'static,
    {
        self.footprint = Some(Arc::new(move || Box::pin(count())));
        self
    }

    /// Returns the subject with its storage called through its [immediate functions](Storage::immediate), to which the
    /// same cases apply. `None` if it has none.
    ///
    /// [`storage_tests!`](crate::storage_tests) also runs every case this way, on its own subject.
    #[must_use]
    pub fn immediate(self) -> Option<Self> {
        let storage = Arc::new(ImmediateView::of(&self.storage)?);
        // A second handle without these functions is called through its futures.
        let second = self.second.map(|second| match ImmediateView::of(&second) {
            Some(immediate) => Arc::new(immediate) as Arc<dyn Storage>,
            None => second,
        });
        Some(Self {
            storage,
            second,
            footprint: self.footprint,
            profile: self.profile,
            guards: self.guards,
        })
    }

    /// Keeps a value until the end of the case, such as a temporary folder or a server.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guards.push(Box::new(guard));
        self
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("storage", &self.storage)
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

/// The properties in which storages may differ.
///
/// No flag turns a promise of the contract off, except where its method says so. A storage must refuse an operation
/// that it does not support with [`Unsupported`](sessile_core::StorageErrorKind::Unsupported), and the kit checks that.
#[derive(Debug, Clone)]
pub struct Profile {
    pub(crate) time: Time,
    pub(crate) tombstone: Duration,
    pub(crate) max_waiters: usize,
    pub(crate) skew: Duration,
    pub(crate) aliases: bool,
    pub(crate) scan: bool,
    pub(crate) sweep: Sweep,
    pub(crate) usage: bool,
    pub(crate) watch: bool,
    pub(crate) drain: bool,
    pub(crate) limit: bool,
    pub(crate) replace_under_lock: bool,
}

/// The clock and the timers of the storage under test.
#[derive(Clone)]
pub enum Time {
    /// The clock and the timers follow [`tokio::time`], which the kit pauses. No case waits.
    Paused,
    /// The clock stands still until this function moves it. The timers are real.
    Manual(Arc<dyn Fn(Duration) + Send + Sync>),
    /// The clock is that of the machine or of a server. Cases wait for deadlines, leases and tombstones.
    Real,
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Paused => "Paused",
            Self::Manual(_) => "Manual(..)",
            Self::Real => "Real",
        })
    }
}

/// The result of [`Storage::sweep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sweep {
    /// The removed records.
    Returns,
    /// No records: the backend removes expired records by itself and does not report them.
    Silent,
    /// [`Unsupported`](sessile_core::StorageErrorKind::Unsupported).
    Unsupported,
}

impl Profile {
    /// Returns the profile of a storage whose clock is a [`TokioClock`](sessile_core::TokioClock) and whose waits are
    /// tokio's.
    ///
    /// Blocking work is possible in [`tokio::task::spawn_blocking`]. A storage that talks to a server or has its own
    /// threads needs [`Profile::real`].
    #[must_use]
    pub fn paused() -> Self {
        Self::new(Time::Paused)
    }

    /// Returns the profile of a storage whose clock `advance` moves.
    #[must_use]
    pub fn manual(advance: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self::new(Time::Manual(Arc::new(advance)))
    }

    /// Returns the profile of a storage whose clock cannot be moved. Give the storage a short lease and short
    /// tombstones of about two seconds, because the cases wait for them.
    #[must_use]
    pub fn real() -> Self {
        Self::new(Time::Real)
    }

    fn new(time: Time) -> Self {
        Self {
            time,
            tombstone: Duration::from_secs(60),
            max_waiters: DEFAULT_MAX_WAITERS,
            skew: Duration::ZERO,
            aliases: true,
            scan: true,
            sweep: Sweep::Returns,
            usage: false,
            watch: false,
            drain: true,
            limit: false,
            replace_under_lock: false,
        }
    }

    /// Sets how long the storage keeps tombstones. 60 seconds by default.
    #[must_use]
    pub fn with_tombstone_ttl(mut self, tombstone: Duration) -> Self {
        self.tombstone = tombstone;
        self
    }

    /// Sets the limit of waiters per session. 1,024 by default. A small limit makes the cases fast.
    #[must_use]
    pub fn with_max_waiters(mut self, max_waiters: usize) -> Self {
        self.max_waiters = max_waiters;
        self
    }

    /// Sets the largest difference between [`Storage::clock`] and the clock that decides. Zero by default.
    #[must_use]
    pub fn with_skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// Declares that the storage refuses to rotate with a grace.
    #[must_use]
    pub fn without_aliases(mut self) -> Self {
        self.aliases = false;
        self
    }

    /// Declares that the storage refuses to scan.
    #[must_use]
    pub fn without_scan(mut self) -> Self {
        self.scan = false;
        self
    }

    /// Declares that the storage [reports its usage](sessile_core::Capabilities::usage).
    ///
    /// The storage must have exactly the capabilities that its profile names: no capability is offered untested, and no
    /// wrapper loses one.
    #[must_use]
    pub fn with_usage(mut self) -> Self {
        self.usage = true;
        self
    }

    /// Declares that sessions of the storage can be [watched](sessile_core::Capabilities::watch).
    #[must_use]
    pub fn with_watch(mut self) -> Self {
        self.watch = true;
        self
    }

    /// Declares that the storage's locks end with the process that holds them, so that [draining](Storage::drain) does
    /// nothing.
    #[must_use]
    pub fn without_drain(mut self) -> Self {
        self.drain = false;
        self
    }

    /// Declares that the storage replaces records by [`replace_under_lock`](sessile_core::replace_under_lock). A
    /// [touch](Storage::touch) between its two steps counts as earlier, so the cases do not ask for it afterwards.
    #[must_use]
    pub fn with_replace_under_lock(mut self) -> Self {
        self.replace_under_lock = true;
        self
    }

    /// Declares that the storage has a limit and refuses writes beyond it with
    /// [`Full`](sessile_core::StorageErrorKind::Full). The cases fill it with sessions of 256 KiB, so the limit should
    /// allow several of them. Other cases store 8 MiB at once.
    #[must_use]
    pub fn with_limit(mut self) -> Self {
        self.limit = true;
        self
    }

    /// Sets the result of sweeping. [`Sweep::Returns`] by default.
    #[must_use]
    pub fn with_sweep(mut self, sweep: Sweep) -> Self {
        self.sweep = sweep;
        self
    }
}
