//! [`SessionBuilder`]: how a session is set up.

use std::any::TypeId;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::Session;
use crate::entropy::{Entropy, OsEntropy};
use crate::expiration::{DAY, Expiration, MINUTE, SECOND};
use crate::keys::{Namespaces, Values};
use crate::settings::{AutoStart, DefaultExpiration, Resolution, Settings, Unreadable};
use crate::storage::Storage;

/// Sets up a [`Session`]; made by [`Session::builder`].
///
/// ```
/// use sessile_core::{Expiration, HOUR, MINUTE, SECOND, Session};
/// use sessile_memory::MemoryStorage;
///
/// let session: Session = Session::builder(MemoryStorage::new())
///     .default_expiration(Expiration::sliding(20 * MINUTE).at_most(12 * HOUR))
///     .lock_wait(2 * SECOND)
///     .build();
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct SessionBuilder<N, V> {
    settings: Settings,
    declared: PhantomData<fn() -> (N, V)>,
}

impl<N: Namespaces, V: Values> SessionBuilder<N, V> {
    pub(super) fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            settings: Settings {
                storage,
                entropy: Box::new(OsEntropy),
                auto_start: AutoStart::No,
                default_expiration: DefaultExpiration::Always(Expiration::sliding(DAY).at_most(30 * DAY).into()),
                max_idle: Some(400 * DAY),
                max_lifetime: None,
                max_record_bytes: 1 << 20,
                touch_resolution: MINUTE,
                resolution: Resolution::default(),
                lock_wait: 10 * SECOND,
                rotation_grace: Duration::ZERO,
                unreadable: Unreadable::Fail,
                declared: TypeId::of::<(N, V)>(),
            },
            declared: PhantomData,
        }
    }

    /// Whether visits start the session by themselves. By default they do not.
    pub fn auto_start(mut self, auto_start: AutoStart) -> Self {
        self.settings.auto_start = auto_start;
        self
    }

    /// The expiration of a session that has none when it is started for writing. By default a session ends a day after
    /// the last visit, and after 30 days at most. A date is better given by
    /// [`default_expiration_with`](Self::default_expiration_with): one that has passed makes starting a new session fail
    /// with [`ExpiredDefault`](crate::SessionError::ExpiredDefault).
    pub fn default_expiration(mut self, expiration: impl Into<Expiration>) -> Self {
        self.settings.default_expiration = DefaultExpiration::Always(expiration.into());
        self
    }

    /// The same, made each time a session needs it: for expirations that are dates, which do not stay in the future.
    ///
    /// ```
    /// use sessile_core::{Expiration, Session};
    /// use sessile_memory::MemoryStorage;
    /// use time::{Duration, OffsetDateTime};
    ///
    /// // Whoever comes today may stay until tomorrow at noon.
    /// let session: Session = Session::builder(MemoryStorage::new())
    ///     .default_expiration_with(|| {
    ///         let tomorrow = OffsetDateTime::now_utc() + Duration::days(1);
    ///         Expiration::At(tomorrow.replace_time(time::Time::from_hms(12, 0, 0).expect("it is a time")))
    ///     })
    ///     .build();
    /// ```
    pub fn default_expiration_with<E: Into<Expiration>>(
        mut self,
        expiration: impl Fn() -> E + Send + Sync + 'static,
    ) -> Self {
        self.settings.default_expiration = DefaultExpiration::MadeBy(Box::new(move || expiration().into()));
        self
    }

    /// How many bytes the record of a session may take: by default 1 MiB. Whatever makes it larger fails with
    /// [`TooLarge`](crate::SessionError::TooLarge) when the session is closed, and nothing is written; a single value
    /// that is larger fails when it is set.
    ///
    /// A session that is larger already, as the limit was higher once, can be read, and be changed as long as it does not
    /// grow.
    ///
    /// ```
    /// use sessile_core::{Session, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).max_record_bytes(1_000).build();
    /// session.init(Visit::new(), async {
    ///     session.start().await?;
    ///     session.set("half", "x".repeat(600))?;
    ///     session.set("other half", "x".repeat(600))?;
    ///     let closed = session.close().await;
    ///     assert!(matches!(closed, Err(SessionError::TooLarge { limit: 1_000, .. })));
    ///     Ok(())
    /// }).await?
    /// # }
    /// ```
    pub fn max_record_bytes(mut self, limit: usize) -> Self {
        self.settings.max_record_bytes = limit;
        self
    }

    /// After how long without activity every session ends, whatever its own expiration says; `None` if only that counts.
    /// By default 400 days, after which no browser remembers its id any more.
    ///
    /// It holds for the sessions that are stored already, too. NIST SP 800-63B-4 calls it the inactivity timeout.
    pub fn max_idle(mut self, idle: impl Into<Option<Duration>>) -> Self {
        self.settings.max_idle = idle.into();
        self
    }

    /// How long after it was created, or after somebody last [authenticated](Session::mark_authenticated), every session
    /// ends, whatever its own expiration says; `None`, the default, if only that counts.
    ///
    /// It holds for the sessions that are stored already, too. NIST SP 800-63B-4 calls it the overall timeout.
    ///
    /// ```
    /// use sessile_core::{DAY, HOUR, Session};
    /// use sessile_memory::MemoryStorage;
    ///
    /// // What NIST SP 800-63B-4 recommends at its second level of assurance.
    /// let session: Session = Session::builder(MemoryStorage::new())
    ///     .max_idle(HOUR)
    ///     .max_lifetime(DAY)
    ///     .build();
    /// ```
    pub fn max_lifetime(mut self, lifetime: impl Into<Option<Duration>>) -> Self {
        self.settings.max_lifetime = lifetime.into();
        self
    }

    /// By how much a sliding expiration has to move to be worth a write: by default 60 seconds. It is never more than
    /// a tenth of the shortest window in the session.
    pub fn touch_resolution(mut self, resolution: Duration) -> Self {
        self.settings.touch_resolution = resolution;
        self
    }

    /// How long a visit waits for the lock before it fails with
    /// [`LockTimeout`](crate::SessionError::LockTimeout): by default 10 seconds. If it is shorter than the storage's lease,
    /// visits fail that want a lock whose holder was killed.
    pub fn lock_wait(mut self, wait: Duration) -> Self {
        self.settings.lock_wait = wait;
        self
    }

    /// For how long the old id still leads to the session after [`Session::regenerate_id`]: by default not at all.
    ///
    /// A few seconds are for applications that change ids as a routine and have parallel requests under way. After
    /// [`Session::mark_authenticated`] the old id is dead at once in any case: that is what stops session fixation.
    pub fn rotation_grace(mut self, grace: Duration) -> Self {
        self.settings.rotation_grace = grace;
        self
    }

    /// What to do about a record that cannot be read: by default starting fails.
    pub fn on_unreadable(mut self, policy: Unreadable) -> Self {
        self.settings.unreadable = policy;
        self
    }

    /// Where the random bits of new ids come from: by default from the operating system. Servers that make very many
    /// sessions can take a `FastEntropy`, of the feature `fast-entropy`, and tests whatever gives them the same bits again.
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.settings.entropy = Box::new(entropy);
        self
    }

    /// The session.
    #[must_use]
    pub fn build(mut self) -> Session<N, V> {
        self.settings.resolution = Resolution::of(self.settings.touch_resolution, self.settings.max_idle);
        Session::from_settings(Arc::new(self.settings))
    }
}
