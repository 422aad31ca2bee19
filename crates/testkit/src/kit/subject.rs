//! [`Subject`] and [`Profile`]: the storage under test, and what it may do differently.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{DEFAULT_MAX_WAITERS, IntoStorage, Storage};

use crate::kit::immediate::ImmediateView;

/// A storage to be tested, made anew for each case.
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
    /// This storage, which must be empty and which nobody else uses, and what may be expected of it.
    pub fn new(storage: impl IntoStorage, profile: Profile) -> Self {
        Self {
            storage: storage.into_storage(),
            second: None,
            footprint: None,
            profile,
            guards: Vec::new(),
        }
    }

    /// With another handle on the same data, as a second process would have it: one that shares nothing in memory
    /// with the first, if the storage can be opened twice.
    #[must_use]
    pub fn with_second(mut self, storage: impl IntoStorage) -> Self {
        self.second = Some(storage.into_storage());
        self
    }

    /// With a way to count what is stored: everything, be it records, locks, tombstones or empty entries. Cases then
    /// check that nothing is left behind.
    #[must_use]
    pub fn with_footprint<F>(mut self, count: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = usize> + Send + 'static,
    {
        self.footprint = Some(Arc::new(move || Box::pin(count())));
        self
    }

    /// The same storage, asked by its [plain functions](Storage::at_once) wherever it has them: the other way into it, to
    /// which the same cases apply. `None` if it has no such functions.
    ///
    /// [`storage_tests!`](crate::storage_tests) runs every case this way too, on a subject of its own.
    #[must_use]
    pub fn at_once(self) -> Option<Self> {
        let storage = Arc::new(ImmediateView::of(&self.storage)?);
        // A second handle without the functions is asked as ever.
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

    /// With something to be dropped after the case: a temporary folder, a server.
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

/// What may differ from one storage to the next.
///
/// There is no flag for a promise of the contract. What a storage does not do it must refuse with
/// [`Unsupported`](sessile_core::StorageErrorKind::Unsupported), and the kit checks that it does.
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
    pub(crate) drain: bool,
    pub(crate) limit: bool,
}

/// How time passes for the storage under test.
#[derive(Clone)]
pub enum Time {
    /// The storage's clock and its timers follow [`tokio::time`], which the kit pauses: no case waits.
    Paused,
    /// The storage's clock stands still until this function moves it. Its timers are real.
    Manual(Arc<dyn Fn(Duration) + Send + Sync>),
    /// The storage's clock is that of the machine, or of a server. Cases wait for deadlines, leases and tombstones.
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

/// What [`Storage::sweep`] answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sweep {
    /// The records it has removed.
    Returns,
    /// Nothing ever: the backend removes the expired by itself and tells nobody.
    Silent,
    /// [`Unsupported`](sessile_core::StorageErrorKind::Unsupported).
    Unsupported,
}

impl Profile {
    /// For a storage whose clock is a [`TokioClock`](sessile_core::TokioClock) and whose waits are tokio's.
    ///
    /// Blocking work is welcome if it is done in [`tokio::task::spawn_blocking`]; one that talks to a server or has
    /// threads of its own needs [`Profile::real`].
    #[must_use]
    pub fn paused() -> Self {
        Self::new(Time::Paused)
    }

    /// For a storage whose clock is moved by calling `advance`.
    #[must_use]
    pub fn manual(advance: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self::new(Time::Manual(Arc::new(advance)))
    }

    /// For a storage whose clock cannot be moved. Give it a short lease and short tombstones, of about two seconds:
    /// the cases wait for them.
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
            drain: true,
            limit: false,
        }
    }

    /// How long the storage keeps tombstones; 60 seconds unless said otherwise.
    #[must_use]
    pub fn with_tombstone_ttl(mut self, tombstone: Duration) -> Self {
        self.tombstone = tombstone;
        self
    }

    /// How many may wait for one session; 1,024 unless said otherwise. A small number makes the cases fast.
    #[must_use]
    pub fn with_max_waiters(mut self, max_waiters: usize) -> Self {
        self.max_waiters = max_waiters;
        self
    }

    /// By how much [`Storage::clock`] may differ from the clock that decides; zero unless said otherwise.
    #[must_use]
    pub fn with_skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// The storage refuses to rotate with a grace.
    #[must_use]
    pub fn without_aliases(mut self) -> Self {
        self.aliases = false;
        self
    }

    /// The storage refuses to scan.
    #[must_use]
    pub fn without_scan(mut self) -> Self {
        self.scan = false;
        self
    }

    /// The storage [says how much it holds](sessile_core::Capabilities::usage).
    ///
    /// What a profile does not name the storage must not have, so that nothing is offered without being tested; and what
    /// it names must be there, so that no wrapper loses it.
    #[must_use]
    pub fn with_usage(mut self) -> Self {
        self.usage = true;
        self
    }

    /// The locks of the storage end with the process that holds them, so there is nothing to [drain](Storage::drain), and
    /// draining does nothing.
    #[must_use]
    pub fn without_drain(mut self) -> Self {
        self.drain = false;
        self
    }

    /// The storage holds so much and no more, and refuses what goes beyond with
    /// [`Full`](sessile_core::StorageErrorKind::Full). The cases fill it with sessions of 256 KiB, so it should have room
    /// for a few of them; there are other cases that store 8 MiB at once.
    #[must_use]
    pub fn with_limit(mut self) -> Self {
        self.limit = true;
        self
    }

    /// What sweeping answers; [`Sweep::Returns`] unless said otherwise.
    #[must_use]
    pub fn with_sweep(mut self, sweep: Sweep) -> Self {
        self.sweep = sweep;
        self
    }
}
