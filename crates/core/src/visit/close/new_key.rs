//! Storing a session under a new key: creating it, or moving it.
//!
//! If the session has an owner, or its end has to be reported whatever happens, it is entered into rosters first. What
//! has happened to other sessions for that is reported last, when no lock is held.

use std::time::Duration;

use crate::error::SessionError;
use crate::events::PendingEnd;
use crate::id::{SessionId, SessionKey};
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
                self.settle(enlisted, &key, reply).await
            }
            Err(error) => Err(error),
        };
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
        let rotated = match self.enlist(Some(&old), &new, &meta, &mut ends).await {
            Ok(enlisted) => {
                let reply = self.settings.storage.rotate(&mut lock, &new, record, grace).await;
                if reply.is_err() {
                    self.release_or_log(lock).await;
                }
                self.settle(enlisted, &new, reply).await
            }
            Err(error) => {
                self.release_or_log(lock).await;
                Err(error)
            }
        };
        self.deliver(ends).await;
        rotated??;
        telemetry::rotated(&old, &new);
        Ok(CloseResult::written(meta, Some((id, new))))
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
        let before = self.state().meta().map(|meta| meta.facts.clone()).unwrap_or_default();
        if !settings.watches && meta.facts.owner().is_none() && before.owner().is_none() {
            return Ok(None);
        }
        let before = from.map(|key| (key, &before));
        let enlist = async {
            settings.watch(from, to, meta).await?;
            settings.enlist(before, to, &meta.facts, ends).await
        };
        Ok(Some(Box::pin(enlist).await?))
    }

    /// Handles the reply of the storage to the creation or the move of a session that was enlisted.
    ///
    /// # Errors
    ///
    /// [`TooManySessions`](SessionError::TooManySessions) if a later login has taken the place meanwhile;
    /// [`LockTimeout`](SessionError::LockTimeout) if one may have, because this process has slept.
    async fn settle(
        &self,
        enlisted: Option<Enlisted>,
        key: &SessionKey,
        reply: Result<(), StorageError>,
    ) -> Result<Result<(), StorageError>, SessionError> {
        let Some(enlisted) = enlisted else { return Ok(reply) };
        let limit = self.settings.limit;
        match &reply {
            Ok(()) if enlisted.is_late(&self.settings) => {
                self.settings.storage.destroy(key).await?;
                return Err(SessionError::LockTimeout);
            }
            Ok(()) => Box::pin(enlisted.complete(&self.settings)).await,
            // It may be stored later: the place stays until that is impossible.
            Err(error) if error.is_ambiguous() => {}
            Err(error) => {
                let is_barred = error.kind() == StorageErrorKind::Exists;
                Box::pin(enlisted.cancel(&self.settings, key)).await;
                if let (true, Some(limit)) = (is_barred, limit) {
                    return Err(limit.exceeded());
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
