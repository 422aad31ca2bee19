//! Sliding expirations: when a visit moves them, and what it takes to move them safely.
//!
//! Whatever slides ends a window after the session's last activity, which is part of the metadata, so moving all of
//! it is one small write that needs no lock. But moving it would also bring back what slid *out*: a value whose own,
//! shorter window is over. Such a value has to be removed from the payload before the last activity may move.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::events;
use crate::id::SessionKey;
use crate::payload::{AsOf, Payload};
use crate::settings::Settings;
use crate::storage::{Lookup, Meta, Record, StorageError, StorageErrorKind, Stored};
use crate::visit::Context;
use crate::visit::sliding::{Slide, has_dead_items};
use crate::visit::start::load::Loaded;
use crate::visit::state::{SessionData, State};

impl Settings {
    /// Moves the ends of a stored session, unless it has been written since `meta` was read: the ends that the writer
    /// has set then hold. Returns whether the client's memory of the id is to be renewed.
    pub(super) async fn touch(&self, key: &SessionKey, meta: &mut Meta, slide: Slide) -> Result<bool, StorageError> {
        let Slide { deadline, last_active } = slide;
        if !self.storage.touch(key, meta.version, deadline, last_active).await? {
            return Ok(false);
        }
        let renews = slide.renews(meta);
        meta.touch(deadline, last_active);
        Ok(renews)
    }

    /// Removes what is dead from a stored session that this visit only reads, if nobody is writing to it just now,
    /// and moves its ends in the same step.
    ///
    /// Returns whether that was done; payload and metadata are then the new ones.
    pub(super) async fn purge_stored(
        &self,
        key: &SessionKey,
        meta: &mut Meta,
        payload: &mut Payload,
        restarted: bool,
    ) -> Result<bool, StorageError> {
        let (mut locked, now) = match self.lock(key, Duration::ZERO).await {
            Ok((Lookup::Found(locked), at)) => (locked, at),
            Ok((Lookup::Missing | Lookup::Superseded, _)) => return Ok(false),
            Err(error) if error.kind() == StorageErrorKind::LockTimeout => return Ok(false),
            Err(error) if error.kind() == StorageErrorKind::TooManyWaiters => return Ok(false),
            Err(error) => return Err(error),
        };
        let at = AsOf {
            now,
            last_active: locked.record.meta.last_active,
        };
        let Ok(mut fresh) = Payload::decode(locked.record.payload) else {
            return Ok(false);
        };
        if !matches!(fresh.purge(at, restarted), Ok(true)) {
            return Ok(false);
        }
        fresh.leave_window(restarted);
        let record = fresh.record(&locked.record.meta, at, self);
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
    /// The key of the session if, as far as this visit knows, something in it is to be moved now that the visit ends. What
    /// was due at the moment of a visit that never had to wait was moved when it started.
    pub(super) fn is_due_to_slide(&self, state: &State, now: Timestamp) -> Option<SessionKey> {
        // Who holds the lock is there to write, and does more than look.
        let only_looks = state.passive && state.lock().is_none();
        if !state.seen || only_looks || state.phase == super::Phase::Destroyed {
            return None;
        }
        state.key.filter(|_| state.data().is_due(now, &self.settings))
    }

    /// The present moment, if anything can be due by now that was not due when the visit started.
    pub(super) fn now_if_later(&self) -> Option<Timestamp> {
        let waited = !self.at_once.load(Ordering::Relaxed);
        waited.then(|| self.settings.storage.clock().now())
    }

    /// Moves what is due while the visit goes on, or when it ends. That this was not possible ends a session early, but
    /// is no reason to call what the visit did a failure.
    pub(super) async fn slide_now(self: &Arc<Self>) {
        let Some(now) = self.now_if_later() else { return };
        let due = self.is_due_to_slide(&self.state(), now);
        if let Some(key) = due
            && let Err(error) = Box::pin(self.slide_stored(key)).await
        {
            events::not_moved(&key, &error);
        }
    }

    /// Moves what is due in the session as it is stored now. What this visit has loaded may be long out of date: to
    /// go by it could revive what others have set and what slid out since, or lengthen what they have shortened.
    async fn slide_stored(&self, key: SessionKey) -> Result<(), crate::SessionError> {
        let settings = &self.settings;
        let (Lookup::Found(Stored { key, record, .. }), now) = settings.read(&key).await? else {
            return Ok(());
        };
        let Record { mut meta, payload } = record;
        let payload = Payload::decode(payload)?;
        let at = AsOf {
            now,
            last_active: meta.last_active,
        };
        let mut slide = Slide::due(&payload, &meta, now, settings);
        let restarted = self.state().restarted;
        if has_dead_items(&payload, at, restarted) {
            slide = slide.and_then(|slide| slide.of_the_session_alone(&meta));
        }
        let Some(slide) = slide else { return Ok(()) };
        let renewed = settings.touch(&key, &mut meta, slide).await?;
        let mut state = self.state();
        // Who has written something else since knows better what the client is to be effects.
        let is_same = |known: &Meta| known.version == meta.version;
        if state.key == Some(key) && state.meta().is_some_and(is_same) {
            state.effects.renewed |= renewed;
            state.learn(meta, now);
        }
        Ok(())
    }

    /// Moves what is due when the visit starts, and removes what is dead. Returns whether the client's memory of the id
    /// is to be renewed.
    ///
    /// A storage that cannot do so now can still be read: all this does is put off.
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
        let at = AsOf {
            now,
            last_active: meta.last_active,
        };
        let mut slide = if passive {
            None
        } else {
            Slide::due(payload, meta, now, settings)
        };
        if has_dead_items(payload, at, *restarted) && payload.purge(at, *restarted)? {
            payload.leave_window(*restarted);
            if lock.is_none() {
                let renews = slide.is_some_and(|slide| slide.renews(meta));
                match settings.purge_stored(key, meta, payload, *restarted).await {
                    Ok(true) => {
                        *restarted = false;
                        return Ok(renews);
                    }
                    Ok(false) => {}
                    Err(error) => put_off(key, error)?,
                }
            }
            // What is dead is gone from here, and from the storage with the next commit. Until then the last activity
            // has to stay where it is.
            slide = slide.and_then(|slide| slide.of_the_session_alone(meta));
        }
        let Some(slide) = slide else { return Ok(false) };
        match settings.touch(key, meta, slide).await {
            Ok(renewed) => Ok(renewed),
            Err(error) => put_off(key, error).map(|()| false),
        }
    }
}

/// Goes on after a write that can wait, unless it has found that there is nothing to write to.
fn put_off(key: &SessionKey, error: StorageError) -> Result<(), crate::SessionError> {
    match error.kind() {
        StorageErrorKind::Gone | StorageErrorKind::Superseded => Err(error.into()),
        _ => {
            events::not_moved(key, &error.into());
            Ok(())
        }
    }
}
