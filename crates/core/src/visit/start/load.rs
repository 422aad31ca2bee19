//! Loading a record into a visit.
//!
//! Usually the record only has to be indexed. Work that takes further storage calls (moving sliding expirations,
//! removing expired items) is boxed as a [`PostLoad`] when it is needed, so that it costs nothing otherwise.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events::EndReason;
use crate::id::SessionKey;
use crate::payload::RecordError;
use crate::population::Prepared;
use crate::settings::UnreadablePolicy;
use crate::storage::{Lock, Record, Stored};
use crate::telemetry;
use crate::visit::Context;
use crate::visit::limits::begin_lifetime;
use crate::visit::sliding::Activity;
use crate::visit::start::verdict::{LoadRequest, Verdict};
use crate::visit::state::{Closing, Phase, SessionData};

/// The work that is left before a visit has started.
pub(in crate::visit) type PostLoad = Pin<Box<dyn Future<Output = Result<(), SessionError>> + Send>>;

/// A record that is being loaded into a visit.
pub(in crate::visit) struct Loaded {
    pub(in crate::visit) key: SessionKey,
    /// The session, with the lock or the stamp of the record if the visit will write.
    pub(in crate::visit) data: Box<SessionData>,
    /// `true` if transient data has to be removed, because the browser was restarted.
    pub(in crate::visit) restarted: bool,
    epoch: u32,
}

impl Context {
    /// Handles a record that was found, with its lock if one was requested. If it returns further work, the visit has
    /// started when that is done.
    pub(in crate::visit) fn on_loaded(
        self: &Arc<Self>,
        key: SessionKey,
        record: Record,
        lock: Option<Lock>,
        now: Timestamp,
        request: LoadRequest,
    ) -> Result<Option<PostLoad>, SessionError> {
        let passive = !request.activity.counts(lock.is_some());
        let epoch = request.epoch;
        let data = match SessionData::decode(record, now) {
            Ok(mut data) => {
                data.lock = lock;
                data.payload.is_inactive = request.activity == Activity::Never;
                data
            }
            Err(error) => {
                return Ok(Some(Box::pin(Arc::clone(self).on_unreadable(key, lock, error, epoch))));
            }
        };
        let (restarted, has_expired) = match self.judge(&data, now, request) {
            Verdict::Expired => return Ok(Some(Box::pin(Arc::clone(self).on_expired(data.lock, epoch)))),
            Verdict::WindowClosed => {
                let discard = Arc::clone(self).discard(key, data.lock, epoch, EndReason::Expired);
                return Ok(Some(Box::pin(discard)));
            }
            Verdict::Usable { restarted, has_expired } => (restarted, has_expired),
        };
        let slides = !passive && data.is_due(now, &self.settings);
        let loaded = Loaded {
            key,
            data,
            restarted,
            epoch,
        };
        if !slides && !has_expired {
            return self.install(loaded, false).map(|()| None);
        }
        Ok(Some(Box::pin(Arc::clone(self).slide_and_install(loaded, passive))))
    }

    /// Makes the visit writable without a lock, with a record that was just read. Returns `false` if the record needs
    /// work first, such as removing expired items: that takes the lock.
    pub(in crate::visit) fn on_loaded_unlocked(
        &self,
        stored: Stored,
        now: Timestamp,
        request: LoadRequest,
    ) -> Result<bool, SessionError> {
        let Stored { key, record, stamp } = stored;
        if record.meta.has_expired(now) {
            // The reply may have taken long, and another visit may have moved the deadline since.
            return Ok(false);
        }
        let Ok(mut data) = SessionData::decode(record, now) else {
            return Ok(false);
        };
        let Verdict::Usable {
            restarted,
            has_expired: false,
        } = self.judge(&data, now, request)
        else {
            return Ok(false);
        };
        // Sliding expirations move with the commit, or when the visit is closed without one.
        data.unlocked = Some(stamp);
        data.payload.is_inactive = request.activity == Activity::Never;
        let loaded = Loaded {
            key,
            data,
            restarted,
            epoch: request.epoch,
        };
        self.install(loaded, false).map(|()| true)
    }

    /// Moves sliding expirations and removes expired items, then installs the record.
    async fn slide_and_install(self: Arc<Self>, mut loaded: Loaded, passive: bool) -> Result<(), SessionError> {
        let (key, phase, epoch) = (loaded.key, loaded.phase(), loaded.epoch);
        match self.slide_at_start(&mut loaded, passive).await {
            Ok(reissue_id) => self.install(loaded, reissue_id),
            Err(SessionError::Gone) => self.on_missing(epoch, phase),
            Err(SessionError::Superseded) => self.on_superseded(key, epoch, phase),
            Err(SessionError::Unreadable(error)) => self.on_unreadable(key, loaded.data.lock, error, epoch).await,
            Err(error) => Err(error),
        }
    }

    /// Handles a record that cannot be decoded.
    async fn on_unreadable(
        self: Arc<Self>,
        key: SessionKey,
        lock: Option<Lock>,
        error: RecordError,
        epoch: u32,
    ) -> Result<(), SessionError> {
        telemetry::unreadable(&key);
        match self.settings.unreadable {
            UnreadablePolicy::Fail => Err(error.into()),
            UnreadablePolicy::Drop => self.discard(key, lock, epoch, EndReason::Evicted).await,
        }
    }

    /// Handles a session that has expired by the limits of the settings. It is not destroyed: a parallel visit may be
    /// about to move its deadline, and otherwise the storage removes it at its deadline.
    async fn on_expired(self: Arc<Self>, lock: Option<Lock>, epoch: u32) -> Result<(), SessionError> {
        let phase = Phase::of_start(lock.is_some());
        if let Some(lock) = lock {
            self.release_or_log(lock).await;
        }
        self.on_missing(epoch, phase)
    }

    /// Destroys an unusable session, then continues as if there had been none.
    async fn discard(
        self: Arc<Self>,
        key: SessionKey,
        lock: Option<Lock>,
        epoch: u32,
        reason: EndReason,
    ) -> Result<(), SessionError> {
        let phase = Phase::of_start(lock.is_some());
        let prepared = self.settings.prepare_end(&key, reason).await;
        let found = self.settings.storage.destroy(&key).await?.is_found();
        if let Some(mut lock) = lock {
            // The storage removed the lock together with the record.
            lock.disarm();
        }
        if let (Prepared::Seen(end), true) = (prepared, found) {
            self.settings.deliver(vec![end]).await;
        }
        self.on_missing(epoch, phase)
    }

    /// Moves a loaded record into the visit and enters its phase.
    fn install(&self, mut loaded: Loaded, reissue_id: bool) -> Result<(), SessionError> {
        let phase = loaded.phase();
        let data = &mut *loaded.data;
        if phase == Phase::Writable && data.payload.lifetime.is_none() && !data.payload.is_inactive {
            let default = self.settings.default_lifetime(data.loaded_at);
            begin_lifetime(&mut data.payload, default, data.loaded_at)?;
        }
        data.plan_renewal();
        let mut state = self.state();
        if state.epoch != loaded.epoch {
            // This visit has destroyed the session meanwhile. The loaded lock is released when it is dropped.
            drop(state);
            return Err(SessionError::Gone);
        }
        if phase == Phase::Readable && state.is_started() {
            // Another call of this visit has started it meanwhile, and may have changed something since.
            return Ok(());
        }
        state.effects.aliased |= state.key.is_some_and(|requested| requested != loaded.key);
        let candidate = *state.candidate.get_or_insert(0);
        state.effects.reissue_id |= reissue_id || (!state.seen && state.flags.reissues(candidate));
        state.effects.read = true;
        state.enter(phase);
        state.seen = true;
        state.key = Some(loaded.key);
        state.restarted = loaded.restarted;
        // The old data, with its lock if there was one.
        let replaced = state.data.replace(loaded.data);
        let renewal_waker = state.cold.as_mut().and_then(|cold| cold.renewal_waker.take());
        // Dropping a lock and waking a task run foreign code, so the state is unlocked first.
        drop(state);
        drop(replaced);
        if let Some(renewal_waker) = renewal_waker {
            renewal_waker.wake();
        }
        Ok(())
    }

    /// Replaces the loaded data by the record as it is stored now. The visit stays readable.
    pub(in crate::visit) fn reload(
        &self,
        key: SessionKey,
        record: Record,
        now: Timestamp,
        session: u32,
    ) -> Result<(), SessionError> {
        let data = SessionData::decode(record, now)?;
        let over = data.is_over(now, &self.settings);
        let mut state = self.state();
        if state.session != session || state.phase != Phase::Readable || state.closing != Closing::No {
            // Another call of this visit has newer data.
            return Ok(());
        }
        if over {
            state.lost = true;
            return Err(SessionError::Gone);
        }
        state.effects.aliased |= state.key.is_some_and(|requested| requested != key);
        state.key = Some(key);
        let before = state.data.replace(data);
        state.hide_transient();
        drop(state);
        drop(before);
        Ok(())
    }
}

impl Loaded {
    fn phase(&self) -> Phase {
        Phase::of_start(self.data.unlocked.is_some() || self.data.lock.is_some())
    }
}
