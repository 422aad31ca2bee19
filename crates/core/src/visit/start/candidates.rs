//! A visit that comes with several ids: the first that names a session is taken.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::SessionKey;
use crate::storage::{Lock, Locked, Lookup, Record, StorageError, Stored};
use crate::visit::Context;
use crate::visit::start::load::LoadRequest;
use crate::visit::state::Phase;

/// A record, the key it is stored under, and the lock on it if one was asked for.
type Found = (SessionKey, Record, Option<Lock>);

impl Context {
    /// The first of the visit's ids names no session. Where there are others, the first that does is taken.
    pub(in crate::visit) async fn not_found<T>(
        self: &Arc<Self>,
        asked: SessionKey,
        none: &Lookup<T>,
        asked_as: LoadRequest,
        patience: Option<Duration>,
    ) -> Result<(), SessionError> {
        let superseded = matches!(none, Lookup::Superseded).then_some(asked);
        if self.state().has_others() {
            return Box::pin(self.try_others(superseded, asked_as, patience)).await;
        }
        self.none_found(superseded, asked_as.epoch, phase_of(patience))
    }

    async fn try_others(
        self: &Arc<Self>,
        mut superseded: Option<SessionKey>,
        asked_as: LoadRequest,
        patience: Option<Duration>,
    ) -> Result<(), SessionError> {
        let candidates = self.state().cold().candidates.clone();
        for (index, id) in candidates.into_iter().enumerate() {
            let asked = id.key();
            let (found, at) = self.look_up(&asked, patience).await?;
            let (key, record, lock) = match found {
                Lookup::Found(found) => found,
                Lookup::Missing => continue,
                Lookup::Superseded => {
                    superseded.get_or_insert(asked);
                    continue;
                }
            };
            {
                let mut state = self.state();
                if state.epoch == asked_as.epoch && !state.is_started() {
                    state.key = Some(asked);
                    state.id = Some(id);
                    state.candidate = Some(index + 1);
                }
            }
            return match self.on_loaded(key, record, lock, at, asked_as)? {
                Some(post_load) => post_load.await,
                None => Ok(()),
            };
        }
        self.none_found(superseded, asked_as.epoch, phase_of(patience))
    }

    /// None of the visit's ids names a session; one of them, perhaps, one that has moved.
    pub(in crate::visit) fn none_found(
        &self,
        superseded: Option<SessionKey>,
        epoch: u32,
        phase: Phase,
    ) -> Result<(), SessionError> {
        match superseded {
            Some(key) => self.superseded(key, epoch, phase),
            None => self.missing(epoch, phase),
        }
    }

    /// Looks a session up: locks it if there is any patience to wait for the lock.
    async fn look_up(
        &self,
        key: &SessionKey,
        patience: Option<Duration>,
    ) -> Result<(Lookup<Found>, Timestamp), StorageError> {
        Ok(match patience {
            Some(wait) => {
                let (found, at) = self.settings.lock(key, wait).await?;
                let locked = |Locked { lock, record }: Locked| (*lock.key(), record, Some(lock));
                (found.map(locked), at)
            }
            None => {
                let (found, at) = self.settings.read(key).await?;
                (found.map(|Stored { key, record, .. }| (key, record, None)), at)
            }
        })
    }
}

/// What a call makes of a visit: one that waits for the lock makes it writable.
fn phase_of(patience: Option<Duration>) -> Phase {
    match patience {
        Some(_) => Phase::Writable,
        None => Phase::Readable,
    }
}
