//! Destroying: the session ends now, started or not, whoever holds its lock.

use std::sync::Arc;

use crate::error::SessionError;
use crate::events;
use crate::id::{SessionId, SessionKey};
use crate::visit::state::{Phase, State};
use crate::visit::{Context, stack};

impl Context {
    /// Waits for no turn: a session that is to end ends now, whatever else the visit has under way.
    ///
    /// The storage follows the session to wherever it has moved, be it by a close of this very visit.
    pub(crate) async fn destroy(self: &Arc<Self>) -> Result<(), SessionError> {
        let (key, others, epoch, session) = {
            let mut state = self.state();
            let (key, others) = state.keys_to_end();
            (key, others, state.epoch, state.session)
        };
        let mut ended = None;
        for (index, key) in key.iter().chain(&others).enumerate() {
            if self.settings.storage.destroy(key).await?.is_found() {
                ended.get_or_insert((index, *key));
            }
        }
        let forgotten = {
            let mut state = self.state();
            if state.epoch != epoch || state.session != session {
                // The visit has gone on to another session meanwhile.
                None
            } else {
                state.epoch += 1;
                state.cut_short |= state.updating && !stack::is_updating(self);
                state.phase = Phase::Destroyed;
                if key.is_some() {
                    state.effects.read = true;
                    state.effects.written |= ended.is_some();
                    state.effects.gone();
                }
                if let Some((index, _)) = ended {
                    state.effects.ended = true;
                    state.candidate.get_or_insert(index);
                }
                // The client is free to begin anew: nothing of what its id has led to is left.
                state.effects.superseded = false;
                state.effects.aliased = false;
                state.leave_nothing_behind();
                state.forget()
            }
        };
        if let Some(mut lock) = forgotten.and_then(|started| started.lock)
            && ended.is_some_and(|(_, key)| key == *lock.key())
        {
            // It went with the record.
            lock.spend();
        }
        if let Some((_, key)) = &ended {
            events::destroyed(key);
        }
        Ok(())
    }
}

impl State {
    /// The key of the session that this visit is about, and others that it may stand under as long as the visit has
    /// not found out.
    fn keys_to_end(&mut self) -> (Option<SessionKey>, Vec<SessionKey>) {
        let key = self.lookup_key().or(self.cold().previous_key);
        let others = if self.seen {
            &[][..]
        } else {
            &self.cold().candidates[..]
        };
        (key, others.iter().map(SessionId::key).collect())
    }
}
