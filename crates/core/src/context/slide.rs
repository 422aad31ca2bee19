//! Sliding expirations: when a visit moves them, and what it takes to move them safely.
//!
//! Whatever slides ends a window after the session's last activity, which is part of the metadata, so moving all of
//! it is one small write that needs no lock. But moving it would also bring back what slid *out*: a value whose own,
//! shorter window is over. Such a value has to be removed from the payload before the last activity may move.

use std::sync::Arc;
use std::time::Duration;

use super::Context;
use super::state::State;
use crate::clock::Timestamp;
use crate::contents::{AsOf, Contents};
use crate::session::Engine;
use crate::session_key::SessionKey;
use crate::storage::{Lookup, Meta, Record, StorageError, StorageErrorKind};

/// Where the ends of a session are to be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slide {
    pub(super) deadline: Option<Timestamp>,
    pub(super) last_active: Timestamp,
}

impl Slide {
    /// What a visit at `now` moves; `None` if that is too little to be worth a write.
    pub(super) fn due(contents: &Contents, meta: &Meta, now: Timestamp, engine: &Engine) -> Option<Self> {
        let window = Duration::from_millis(contents.shortest_window()?);
        let resolution = engine.touch_resolution.min(window / 10);
        if meta.last_active.until(now) <= resolution {
            return None;
        }
        let slide = Self {
            deadline: contents.deadline(now),
            last_active: now,
        };
        // A session that has reached its limit moves no further, unless something inside it does.
        let moves = slide.deadline != meta.deadline || contents.items().window.is_some();
        moves.then_some(slide)
    }

    /// The same, but what stands in the session stays where it is.
    fn of_the_session_alone(self, meta: &Meta) -> Self {
        Self {
            last_active: meta.last_active,
            ..self
        }
    }
}

/// Whether something in the session has slid out or, after a restart of the browser, died.
pub(super) fn has_dead_items(contents: &Contents, at: AsOf, restarted: bool) -> bool {
    let items = contents.items();
    let slid_out = |window| at.last_active + Duration::from_millis(window) <= at.now;
    items.window.is_some_and(slid_out) || (restarted && items.transient)
}

impl Engine {
    /// Moves the ends of a stored session.
    pub(super) async fn touch(&self, key: &SessionKey, meta: &mut Meta, slide: Slide) -> Result<(), StorageError> {
        self.storage.touch(key, slide.deadline, slide.last_active).await?;
        meta.touch(slide.deadline, slide.last_active);
        Ok(())
    }

    /// Removes what is dead from a stored session that this visit only reads, if nobody is writing to it just now,
    /// and moves its ends in the same step.
    ///
    /// Returns whether that was done; contents and metadata are then the new ones.
    pub(super) async fn purge_stored(
        &self,
        key: &SessionKey,
        meta: &mut Meta,
        contents: &mut Contents,
        restarted: bool,
    ) -> Result<bool, StorageError> {
        let mut locked = match self.storage.lock(key, Duration::ZERO).await {
            Ok(Lookup::Found(locked)) => locked,
            Ok(Lookup::Missing | Lookup::Superseded) => return Ok(false),
            Err(error) if error.kind() == StorageErrorKind::LockTimeout => return Ok(false),
            Err(error) if error.kind() == StorageErrorKind::TooManyWaiters => return Ok(false),
            Err(error) => return Err(error),
        };
        let now = self.storage.clock().now();
        let at = AsOf {
            now,
            last_active: locked.record.meta.last_active,
        };
        let Ok(mut fresh) = Contents::decode(locked.record.payload) else {
            return Ok(false);
        };
        if !matches!(fresh.purge(at, restarted), Ok(true)) {
            return Ok(false);
        }
        let record = fresh.record(&locked.record.meta, at);
        self.storage.commit(&mut locked.lock, record.clone()).await?;
        fresh.saved(record.payload);
        *contents = fresh;
        *meta = record.meta;
        Ok(true)
    }
}

impl Contents {
    /// The record that replaces one with the metadata `old` now.
    pub(super) fn record(&self, old: &Meta, at: AsOf) -> Record {
        let mut meta = old.clone();
        meta.version += 1;
        meta.last_active = at.now.max(old.last_active);
        meta.deadline = self.deadline(meta.last_active);
        Record::new(meta, self.encode(at))
    }
}

impl Context {
    /// What is to be moved now that the visit ends, if it saw its session and did not just write it.
    pub(super) fn final_slide(&self, state: &mut State) -> Option<(SessionKey, Meta, Slide)> {
        if !state.seen || state.phase == super::Phase::Destroyed {
            return None;
        }
        let now = self.engine.storage.clock().now();
        let meta = state.meta.clone()?;
        if meta.has_expired(now) {
            return None;
        }
        let mut slide = Slide::due(&state.contents, &meta, now, &self.engine)?;
        if has_dead_items(&state.contents, state.as_of(now), state.restarted) {
            slide = slide.of_the_session_alone(&meta);
            if slide.deadline == meta.deadline {
                return None;
            }
        }
        Some((state.key?, meta, slide))
    }

    /// Moves what is due when the visit ends. That this was not possible ends a session early, but is no reason to
    /// call what the visit did a failure.
    pub(super) async fn slide_at_end(self: &Arc<Self>) {
        let due = self.final_slide(&mut self.state());
        let Some((key, mut meta, slide)) = due else { return };
        if self.engine.touch(&key, &mut meta, slide).await.is_ok() {
            let mut state = self.state();
            // Whoever wrote meanwhile knows better.
            if state.meta.as_ref().is_some_and(|known| known.version == meta.version) && state.key == Some(key) {
                state.told.moved |= state.meta.as_ref().is_some_and(|known| known.deadline != meta.deadline);
                state.meta = Some(meta);
            }
        }
    }

    /// Moves what is due when the visit starts; `contents` have just been loaded. Returns whether the deadline moved.
    pub(super) async fn slide_at_start(
        &self,
        key: &SessionKey,
        meta: &mut Meta,
        contents: &mut Contents,
        restarted: &mut bool,
        locked: bool,
    ) -> Result<bool, crate::SessionError> {
        let engine = &self.engine;
        let now = engine.storage.clock().now();
        let at = AsOf {
            now,
            last_active: meta.last_active,
        };
        let before = meta.deadline;
        let mut slide = Slide::due(contents, meta, now, engine);
        if has_dead_items(contents, at, *restarted) && contents.purge(at, *restarted)? {
            if !locked && engine.purge_stored(key, meta, contents, *restarted).await? {
                *restarted = false;
                return Ok(meta.deadline != before);
            }
            // What is dead is gone from here, and from the storage with the next commit. Until then the last activity
            // has to stay where it is.
            slide = slide
                .map(|slide| slide.of_the_session_alone(meta))
                .filter(|slide| slide.deadline != before);
        }
        if let Some(slide) = slide {
            engine.touch(key, meta, slide).await?;
        }
        Ok(meta.deadline != before)
    }
}
