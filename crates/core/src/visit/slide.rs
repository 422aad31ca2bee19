//! Moving sliding expirations when a visit starts, continues or ends.
//!
//! A sliding expiration is a window after the session's last activity, which is part of the metadata. So moving all of
//! them is one small write that needs no lock. But it would also revive an item that has expired by a shorter window of
//! its own: such an item has to be removed from the payload before the last activity may move.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::payload::{AsOf, Payload};
use crate::settings::Settings;
use crate::storage::{Lookup, Meta, Record, StorageError, StorageErrorKind, Stored};
use crate::telemetry;
use crate::visit::Context;
use crate::visit::sliding::{Slide, has_expired_items};
use crate::visit::start::load::Loaded;
use crate::visit::state::{SessionData, State};

impl Settings {
    /// Moves the deadline of a stored session, unless the session was written since `meta` was read: the deadline set
    /// by that write then stays. Returns whether the client has to be given its id again.
    pub(super) async fn touch(&self, key: &SessionKey, meta: &mut Meta, slide: Slide) -> Result<bool, StorageError> {
        let Slide { deadline, last_active } = slide;
        if !self.storage.touch(key, meta.version, deadline, last_active).await? {
            return Ok(false);
        }
        let reissues = slide.reissues_id(meta);
        meta.touch(deadline, last_active);
        Ok(reissues)
    }

    /// Removes expired items from a stored session that this visit only reads, if its lock is free, and moves its
    /// deadline in the same step.
    ///
    /// Returns whether that was done; payload and metadata are then the new ones.
    pub(super) async fn purge_stored(
        &self,
        key: &SessionKey,
        meta: &mut Meta,
        payload: &mut Payload,
        restarted: bool,
    ) -> Result<bool, StorageError> {
        // No wait: a visit that only reads waits for no writer.
        let (mut locked, now) = match self.lock(key, Duration::ZERO).await {
            Ok((Lookup::Found(locked), at)) => (locked, at),
            Ok((Lookup::Missing | Lookup::Superseded, _)) => return Ok(false),
            Err(error) if error.kind() == StorageErrorKind::LockTimeout => return Ok(false),
            Err(error) if error.kind() == StorageErrorKind::TooManyWaiters => return Ok(false),
            Err(error) => return Err(error),
        };
        let at = AsOf::new(now, locked.record.meta.last_active);
        let Ok(mut fresh) = Payload::decode(locked.record.payload) else {
            return Ok(false);
        };
        if !matches!(fresh.purge(at, restarted), Ok(true)) {
            return Ok(false);
        }
        fresh.clear_unused_window(restarted);
        let record = fresh.next_record(&locked.record.meta, at, self);
        let written = record.meta.clone();
        match self.commit(&mut locked.lock, record).await {
            Err(error) if error.kind() == StorageErrorKind::LockLost => return Ok(false),
            committed => committed?,
        }
        fresh.saved();
        *payload = fresh;
        *meta = written;
        Ok(true)
    }
}

impl Context {
    /// Returns the key of the session if, as far as this visit knows, anything in it has to move now that the visit
    /// ends. A visit that never waited has moved it already when it started.
    pub(super) fn key_to_slide(&self, state: &State, now: Timestamp) -> Option<SessionKey> {
        let counts = state.activity.counts(state.lock().is_some());
        if !state.seen || !counts || state.phase == super::Phase::Destroyed {
            return None;
        }
        state.key.filter(|_| state.data().is_due(now, &self.settings))
    }

    /// Returns the current time, if anything can have become due since the visit started.
    pub(super) fn now_if_pended(&self) -> Option<Timestamp> {
        // Relaxed: see `Context::begin_work`.
        let waited = !self.never_pended.load(Ordering::Relaxed);
        waited.then(|| self.settings.storage.clock().now())
    }

    /// Moves due expirations while the visit continues, or when it ends. A failure lets the session end early, but does
    /// not make the work of the visit a failure, so it is only logged.
    pub(super) async fn slide_now(self: &Arc<Self>) {
        let Some(now) = self.now_if_pended() else { return };
        let due = self.key_to_slide(&self.state(), now);
        if let Some(key) = due
            && let Err(error) = Box::pin(self.slide_stored(key)).await
        {
            telemetry::slide_failed(&key, &error);
        }
    }

    /// Moves due expirations of the session as it is stored now. The data that this visit has loaded may be outdated:
    /// relying on it could revive items that others have set and that have expired since, or undo a shortened
    /// expiration.
    async fn slide_stored(&self, key: SessionKey) -> Result<(), crate::SessionError> {
        let settings = &self.settings;
        let (Lookup::Found(Stored { key, record, .. }), now) = settings.read(&key).await? else {
            return Ok(());
        };
        let Record { mut meta, payload } = record;
        let payload = Payload::decode(payload)?;
        let at = AsOf::new(now, meta.last_active);
        let mut slide = Slide::due(&payload, &meta, now, settings);
        let restarted = self.state().restarted;
        if has_expired_items(&payload, at, restarted) {
            slide = slide.and_then(|slide| slide.deadline_only(&meta));
        }
        let Some(slide) = slide else { return Ok(()) };
        let reissue_id = settings.touch(&key, &mut meta, slide).await?;
        let mut state = self.state();
        // After a write by another visit, that visit decides what the client is told.
        let is_same = |known: &Meta| known.version == meta.version;
        if state.key == Some(key) && state.meta().is_some_and(is_same) {
            state.effects.reissue_id |= reissue_id;
            state.update_meta(meta, now);
        }
        Ok(())
    }

    /// Moves due expirations and removes expired items when the visit starts. Returns whether the client has to be
    /// given its id again.
    ///
    /// A storage that cannot write now can still be read: all of this can be done later.
    pub(super) async fn slide_at_start(&self, loaded: &mut Loaded, passive: bool) -> Result<bool, crate::SessionError> {
        let settings = &self.settings;
        let Loaded {
            key, data, restarted, ..
        } = loaded;
        let SessionData {
            meta: Some(meta),
            loaded_at,
            payload,
            lock,
            ..
        } = &mut **data
        else {
            return Ok(false);
        };
        let now = *loaded_at;
        let at = AsOf::new(now, meta.last_active);
        let mut slide = if passive {
            None
        } else {
            Slide::due(payload, meta, now, settings)
        };
        if has_expired_items(payload, at, *restarted) && payload.purge(at, *restarted)? {
            payload.clear_unused_window(*restarted);
            if lock.is_none() {
                let reissues = slide.is_some_and(|slide| slide.reissues_id(meta));
                match settings.purge_stored(key, meta, payload, *restarted).await {
                    Ok(true) => {
                        *restarted = false;
                        return Ok(reissues);
                    }
                    Ok(false) => {}
                    Err(error) => log_unless_gone(key, error)?,
                }
            }
            // The expired items are removed in memory, and in the storage by the next commit. Until then the last
            // activity must not move.
            slide = slide.and_then(|slide| slide.deadline_only(meta));
        }
        let Some(slide) = slide else { return Ok(false) };
        let touched = settings.touch(key, meta, slide).await;
        touched.or_else(|error| log_unless_gone(key, error).map(|()| false))
    }
}

/// Logs the failure of a write that can be done later; returns an error if the session no longer exists.
fn log_unless_gone(key: &SessionKey, error: StorageError) -> Result<(), crate::SessionError> {
    match error.kind() {
        StorageErrorKind::Gone | StorageErrorKind::Superseded => Err(error.into()),
        _ => {
            telemetry::slide_failed(key, &error.into());
            Ok(())
        }
    }
}
