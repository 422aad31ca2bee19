//! Trying several ids: the first that names a session is used.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::SessionKey;
use crate::storage::{Lock, Locked, Lookup, Record, StorageError, Stored};
use crate::visit::Context;
use crate::visit::start::verdict::LoadRequest;
use crate::visit::state::Phase;

/// A record, its key, and its lock if one was requested.
type Found = (SessionKey, Record, Option<Lock>);

impl Context {
    /// Handles a first id that names no session: tries the other candidates, if there are any.
    pub(in crate::visit) async fn on_not_found<T>(
        self: &Arc<Self>,
        requested: SessionKey,
        none: &Lookup<T>,
        request: LoadRequest,
        wait: Option<Duration>,
    ) -> Result<(), SessionError> {
        let superseded = matches!(none, Lookup::Superseded).then_some(requested);
        if self.state().has_other_candidates() {
            return Box::pin(self.try_other_candidates(superseded, request, wait)).await;
        }
        self.on_none_found(superseded, request.epoch, Phase::of_start(wait.is_some()))
    }

    async fn try_other_candidates(
        self: &Arc<Self>,
        mut superseded: Option<SessionKey>,
        request: LoadRequest,
        wait: Option<Duration>,
    ) -> Result<(), SessionError> {
        let candidates = self.state().cold().candidates.clone();
        for (index, id) in candidates.into_iter().enumerate() {
            let requested = id.key();
            let (found, at) = self.lock_or_read(&requested, wait).await?;
            let (key, record, lock) = match found {
                Lookup::Found(found) => found,
                Lookup::Missing => continue,
                Lookup::Superseded => {
                    superseded.get_or_insert(requested);
                    continue;
                }
            };
            {
                let mut state = self.state();
                if state.epoch == request.epoch && !state.is_started() {
                    state.key = Some(requested);
                    state.id = Some(id);
                    state.candidate = Some(index + 1);
                }
            }
            return match self.on_loaded(key, record, lock, at, request)? {
                Some(post_load) => post_load.await,
                None => Ok(()),
            };
        }
        self.on_none_found(superseded, request.epoch, Phase::of_start(wait.is_some()))
    }

    /// Handles candidates none of which names a session; one of them may have been superseded.
    pub(in crate::visit) fn on_none_found(
        &self,
        superseded: Option<SessionKey>,
        epoch: u32,
        phase: Phase,
    ) -> Result<(), SessionError> {
        match superseded {
            Some(key) => self.on_superseded(key, epoch, phase),
            None => self.on_missing(epoch, phase),
        }
    }

    /// Looks up a session; locks it if `wait` is given.
    async fn lock_or_read(
        &self,
        key: &SessionKey,
        wait: Option<Duration>,
    ) -> Result<(Lookup<Found>, Timestamp), StorageError> {
        Ok(match wait {
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
