//! Storing a session under a new key: creating it, or moving it.
//!
//! If the session has an owner, or its end has to be reported whatever happens, it is entered into rosters first. What
//! has happened to other sessions for that is reported last, when no lock is held.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::error::SessionError;
use crate::events::PendingEnd;
use crate::id::{SessionId, SessionKey};
use crate::limit::Limit;
use crate::population::Enlisted;
use crate::storage::{Lock, Meta, Record, StorageError, StorageErrorKind};
use crate::telemetry;
use crate::visit::Context;
use crate::visit::close::result::CloseResult;

impl Context {
    pub(super) async fn create(&self, mut record: Record, id: Option<SessionId>) -> Result<CloseResult, SessionError> {
        if self.settings.epochs {
            let epoch = self.settings.read_epoch().await?;
            record.meta.facts = record.meta.facts.with_epoch(epoch);
        }
        let made = self.new_record(&record, id);
        let key = made.key;
        let mut ends = Vec::new();
        let created = match self.enlist(None, &key, &record.meta, &mut ends).await {
            Ok(enlisted) => {
                let reply = self.settings.create(&key, record).await;
                self.settle(enlisted, &key, None, reply).await
            }
            Err(error) => Err(error),
        };
        if !may_be_stored(&created) {
            Box::pin(self.settings.unwatch_move(None, &key)).await;
        }
        self.deliver(ends).await;
        match created {
            Ok(reply) => made.handle_reply(reply),
            Err(error) => {
                made.never_created();
                Err(error)
            }
        }
    }

    pub(super) async fn rotate(
        &self,
        mut lock: Lock,
        record: Record,
        id: SessionId,
        grace: Duration,
    ) -> Result<CloseResult, SessionError> {
        let (old, new) = (*lock.key(), id.key());
        let meta = record.meta.clone();
        let mut ends = Vec::new();
        let enlisted = self.enlist(Some(&old), &new, &meta, &mut ends);
        let rotated = match self.keeping(&lock, enlisted).await {
            Ok(enlisted) => {
                if let Some(hub) = &self.settings.hub {
                    hub.callbacks.is_moving(&old, new);
                }
                let reply = self.settings.storage.rotate(&mut lock, &new, record, grace).await;
                if reply.is_err() {
                    self.release_or_log(lock).await;
                }
                self.settle(enlisted, &new, Some(&meta), reply).await
            }
            Err(error) => {
                self.release_or_log(lock).await;
                Err(error)
            }
        };
        if !may_be_stored(&rotated) {
            let facts = self.state().meta().map(|meta| meta.facts.clone()).unwrap_or_default();
            Box::pin(self.settings.unwatch_move(Some((&old, &facts)), &new)).await;
        }
        self.deliver(ends).await;
        rotated??;
        telemetry::rotated(&old, &new);
        Ok(CloseResult::written(meta, Some((id, new))))
    }

    /// Keeps the lock of the session while rosters are waited for, which can take longer than the lease.
    async fn keeping<T>(&self, lock: &Lock, work: impl Future<Output = T>) -> T {
        // The timer needs a runtime.
        if tokio::runtime::Handle::try_current().is_err() {
            return work.await;
        }
        let renew = async {
            loop {
                tokio::time::sleep(lock.lease() / 3).await;
                // If the lock is lost, moving the session is refused.
                let _ = self.settings.storage.renew(&lock.id()).await;
            }
        };
        match select(pin!(work), pin!(renew)).await {
            Either::Left((output, _)) => output,
            Either::Right((never, _)) => never,
        }
    }

    /// Enters the session into the rosters that have to know of it before it is stored under `to`. Costs nothing if
    /// there are none.
    async fn enlist(
        &self,
        from: Option<&SessionKey>,
        to: &SessionKey,
        meta: &Meta,
        ends: &mut Vec<PendingEnd>,
    ) -> Result<Option<Enlisted>, SessionError> {
        let settings = &self.settings;
        let (before, is_login) = {
            let state = self.state();
            let before = state.meta().map(|meta| meta.facts.clone());
            (before.unwrap_or_default(), state.cold().next_facts.is_some())
        };
        if !settings.watches && meta.facts.owner().is_none() && before.owner().is_none() {
            return Ok(None);
        }
        let before = from.map(|key| (key, &before));
        let enlist = async {
            let is_watched = settings.watch(from, to, meta).await?;
            let mut enlisted = settings.enlist(before, to, &meta.facts, is_login, ends).await?;
            enlisted.is_watched = is_watched;
            Ok::<_, SessionError>(enlisted)
        };
        Ok(Some(Box::pin(enlist).await?))
    }

    /// Handles the reply of the storage to the creation or the move of a session that was enlisted. `moved` has the
    /// metadata of one that has moved.
    ///
    /// # Errors
    ///
    /// The session was barred: [`TooManySessions`](SessionError::TooManySessions) if there is a limit, as a later login
    /// has then most likely taken the place; without one, [`LockTimeout`](SessionError::LockTimeout), as all sessions of
    /// the owner were ended meanwhile, and a new attempt succeeds. `LockTimeout`, too, if it may have been barred, because
    /// this process has slept.
    async fn settle(
        &self,
        enlisted: Option<Enlisted>,
        key: &SessionKey,
        moved: Option<&Meta>,
        reply: Result<(), StorageError>,
    ) -> Result<Result<(), StorageError>, SessionError> {
        let Some(enlisted) = enlisted else { return Ok(reply) };
        let limit = self.settings.limit;
        match &reply {
            Ok(()) if enlisted.is_late(&self.settings) => {
                self.settings.storage.destroy(key).await?;
                return Err(SessionError::LockTimeout);
            }
            Ok(()) => Box::pin(enlisted.complete(&self.settings, key, moved)).await,
            // It may be stored later: the place stays until that is impossible.
            Err(error) if error.is_ambiguous() => {}
            Err(error) => {
                let is_barred = error.kind() == StorageErrorKind::Exists;
                Box::pin(enlisted.cancel(&self.settings, key)).await;
                if is_barred {
                    return Err(limit.map_or(SessionError::LockTimeout, Limit::exceeded));
                }
            }
        }
        Ok(reply)
    }

    async fn deliver(&self, ends: Vec<PendingEnd>) {
        if !ends.is_empty() {
            Box::pin(self.settings.deliver(ends)).await;
        }
    }
}

/// Returns whether a session is stored under its new key, or may be.
fn may_be_stored(reply: &Result<Result<(), StorageError>, SessionError>) -> bool {
    match reply {
        Ok(Ok(())) => true,
        Ok(Err(error)) => error.is_ambiguous(),
        Err(_) => false,
    }
}
