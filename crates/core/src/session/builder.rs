//! [`SessionBuilder`]: configures a session.

use std::any::TypeId;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::Session;
use crate::entropy::{Entropy, OsEntropy};
use crate::events::{Events, Hub};
use crate::expiration::{DAY, Expiration, MINUTE, SECOND};
use crate::keys::{Namespaces, Values};
use crate::limit::Limit;
use crate::population::Policy;
use crate::settings::{AutoStart, DefaultExpiration, Resolution, Settings, UnreadablePolicy};
use crate::storage::Storage;
use crate::wait_graph::WaitGraph;

/// Configures a [`Session`]; created by [`Session::builder`].
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
                default_expiration: DefaultExpiration::Fixed(Expiration::sliding(DAY).at_most(30 * DAY).into()),
                max_idle: Some(400 * DAY),
                max_lifetime: None,
                max_record_bytes: 1 << 20,
                touch_resolution: MINUTE,
                resolution: Resolution::default(),
                lock_wait: 10 * SECOND,
                rotation_grace: Duration::ZERO,
                unreadable: UnreadablePolicy::Fail,
                limit: None,
                epochs: false,
                hub: None,
                watches: false,
                report_within: Duration::ZERO,
                declared: TypeId::of::<(N, V)>(),
                wait_graph: WaitGraph::default(),
            },
            declared: PhantomData,
        }
    }

    /// Sets whether visits start the session before the application asks for it. The default is [`AutoStart::No`].
    pub fn auto_start(mut self, auto_start: AutoStart) -> Self {
        self.settings.auto_start = auto_start;
        self
    }

    /// Sets the expiration that a session without one gets when it is started for writing. By default a session ends
    /// one day after the last visit, and after 30 days at the latest.
    ///
    /// Use [`default_expiration_with`](Self::default_expiration_with) for a date: once a fixed date has passed,
    /// starting a new session fails with [`ExpiredDefault`](crate::SessionError::ExpiredDefault).
    pub fn default_expiration(mut self, expiration: impl Into<Expiration>) -> Self {
        self.settings.default_expiration = DefaultExpiration::Fixed(expiration.into());
        self
    }

    /// Sets a function that computes the default expiration each time a session needs it: for dates, which would
    /// otherwise pass.
    ///
    /// ```
    /// use sessile_core::{Expiration, Session};
    /// use sessile_memory::MemoryStorage;
    /// use time::{Duration, OffsetDateTime};
    ///
    /// // Sessions of today end tomorrow at noon.
    /// let session: Session = Session::builder(MemoryStorage::new())
    ///     .default_expiration_with(|| {
    ///         let tomorrow = OffsetDateTime::now_utc() + Duration::days(1);
    ///         Expiration::At(tomorrow.replace_time(time::Time::from_hms(12, 0, 0).expect("noon is a valid time")))
    ///     })
    ///     .build();
    /// ```
    pub fn default_expiration_with<E: Into<Expiration>>(
        mut self,
        expiration: impl Fn() -> E + Send + Sync + 'static,
    ) -> Self {
        self.settings.default_expiration = DefaultExpiration::Computed(Box::new(move || expiration().into()));
        self
    }

    /// Sets the maximum size of the record of a session in bytes: by default 1 MiB. A change that exceeds it fails with
    /// [`TooLarge`](crate::SessionError::TooLarge) when the session is closed, and nothing is written; a single value
    /// that exceeds it fails when it is set.
    ///
    /// A session that is larger already, because the limit was higher before, can be read, and can be changed as long
    /// as it does not grow.
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

    /// Ends every session after this time without activity, regardless of its own expiration. `None` leaves it to that
    /// expiration. The default is 400 days, after which no browser keeps the id.
    ///
    /// The limit also applies to sessions that are stored already. NIST SP 800-63B-4 calls it the inactivity timeout.
    pub fn max_idle(mut self, idle: impl Into<Option<Duration>>) -> Self {
        self.settings.max_idle = idle.into();
        self
    }

    /// Ends every session this long after its creation or the last [authentication](Session::log_in),
    /// regardless of its own expiration. `None`, the default, leaves it to that expiration.
    ///
    /// The limit also applies to sessions that are stored already. NIST SP 800-63B-4 calls it the overall timeout.
    ///
    /// ```
    /// use sessile_core::{DAY, HOUR, Session};
    /// use sessile_memory::MemoryStorage;
    ///
    /// // The recommendation of NIST SP 800-63B-4 for its second assurance level.
    /// let session: Session = Session::builder(MemoryStorage::new())
    ///     .max_idle(HOUR)
    ///     .max_lifetime(DAY)
    ///     .build();
    /// ```
    pub fn max_lifetime(mut self, lifetime: impl Into<Option<Duration>>) -> Self {
        self.settings.max_lifetime = lifetime.into();
        self
    }

    /// Sets the [idle limit](Self::max_idle) and the [overall limit](Self::max_lifetime) that a standard recommends.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.settings.max_idle = policy.max_idle;
        self.settings.max_lifetime = policy.max_lifetime;
        self
    }

    /// Limits the number of sessions that one owner can be [logged in](Session::log_in) with. By default there is no
    /// limit.
    pub fn limit(mut self, limit: impl Into<Option<Limit>>) -> Self {
        self.settings.limit = limit.into();
        self
    }

    /// Sets whether all sessions can be [ended at once](crate::Registry::end_everything): by default not. Each session
    /// then carries the epoch in which it began, and each start reads the present epoch beside the session: one more
    /// read, at the same time. Sessions from before it was set belong to the first epoch.
    pub fn epochs(mut self, epochs: bool) -> Self {
        self.settings.epochs = epochs;
        self
    }

    /// Asks for [events](Events). By default there are none, and nothing is paid for them.
    pub fn events(mut self, events: Events) -> Self {
        self.settings.watches = events.at_least_once;
        self.settings.report_within = events.report_within;
        let now = self.settings.storage.clock().now();
        self.settings.hub = Some(Hub::new(events, now));
        self
    }

    /// Sets how far a sliding expiration has to move to justify a write: by default 60 seconds. It is capped at a tenth
    /// of the shortest window in the session.
    pub fn touch_resolution(mut self, resolution: Duration) -> Self {
        self.settings.touch_resolution = resolution;
        self
    }

    /// Sets how long a visit waits for the lock before it fails with [`LockTimeout`](crate::SessionError::LockTimeout):
    /// by default 10 seconds. If it is shorter than the lease of the storage, visits fail that wait for a lock whose
    /// holder was killed.
    pub fn lock_wait(mut self, wait: Duration) -> Self {
        self.settings.lock_wait = wait;
        self
    }

    /// Sets how long the old id still leads to the session after [`Session::regenerate_id`]: by default not at all.
    ///
    /// A grace of a few seconds suits applications that change ids regularly while parallel requests are in flight.
    /// After [`Session::log_in`] and [`Session::mark_authenticated`] the old id is invalid immediately in any case: that prevents session
    /// fixation.
    pub fn rotation_grace(mut self, grace: Duration) -> Self {
        self.settings.rotation_grace = grace;
        self
    }

    /// Sets what happens to a record that cannot be decoded: by default starting fails.
    pub fn on_unreadable(mut self, policy: UnreadablePolicy) -> Self {
        self.settings.unreadable = policy;
        self
    }

    /// Sets the source of random bits for new ids: by default the operating system. Servers that create very many
    /// sessions can use `FastEntropy` from the feature `fast-entropy`; tests can use a deterministic source.
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.settings.entropy = Box::new(entropy);
        self
    }

    /// Builds the session.
    #[must_use]
    pub fn build(mut self) -> Session<N, V> {
        self.settings.resolution = Resolution::new(self.settings.touch_resolution, self.settings.max_idle);
        Session::from_settings(Arc::new(self.settings))
    }
}
