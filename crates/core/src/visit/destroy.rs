//! Destroying: ends the session immediately, started or not, regardless of which visit holds its lock.

use std::sync::Arc;

use crate::error::SessionError;
use crate::events::EndReason;
use crate::id::{SessionId, SessionKey};
use crate::population::Prepared;
use crate::visit::state::{Phase, State};
use crate::visit::{Context, stack};

impl Context {
    /// Destroys the session without waiting for other operations of the visit.
    ///
    /// The storage follows the session to its current key if it has moved, even by a concurrent close of the same
    /// visit.
    pub(crate) async fn destroy(self: &Arc<Self>) -> Result<(), SessionError> {
        let (key, others, epoch, session, known) = {
            let mut state = self.state();
            let known = state.meta().map(|meta| meta.facts.owner().map(Box::<str>::from));
            let (key, others) = state.keys_to_destroy();
            (key, others, state.epoch, state.session, known)
        };
        let mut place = None;
        let mut ended = None;
        let (mut ends, mut moved) = (Vec::new(), Vec::new());
        for (index, key) in key.iter().chain(&others).enumerate() {
            let prepared = self.settings.prepare_end(key, EndReason::Asked).await;
            if matches!(prepared, Prepared::Barred) {
                continue;
            }
            let own_place = match &known {
                Some(owner) => owner.clone().map(|owner| (owner, *key)),
                None => self.settings.find_limited(key).await,
            };
            if self.settings.storage.destroy(key).await?.is_found() {
                ended.get_or_insert((index, *key));
                place = place.or(own_place);
                match prepared {
                    Prepared::Seen(end) => ends.push(end),
                    Prepared::Unseen(marked) => moved.push((*key, marked)),
                    Prepared::Barred => {}
                }
            }
        }
        let forgotten = {
            let mut state = self.state();
            if state.epoch != epoch || state.session != session {
                // The visit has another session by now; leave that untouched.
                None
            } else {
                state.epoch += 1;
                state.destroyed_elsewhere |= state.in_transaction && !stack::is_in_transaction(self);
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
                // The client may begin a new session: clear everything that its old id led to.
                state.effects.superseded = false;
                state.effects.aliased = false;
                if let Some(cold) = &mut state.cold {
                    cold.previous_key = None;
                }
                state.forget()
            }
        };
        if let Some(mut lock) = forgotten.and_then(|data| data.lock)
            && ended.is_some_and(|(_, key)| key == *lock.key())
        {
            // The storage removed the lock together with the record.
            lock.disarm();
        }
        if let Some((owner, key)) = place {
            // A place that stays is found to be dead later.
            let _ = self.settings.leave(&owner, &key).await;
        }
        self.settings.deliver(ends).await;
        for (key, marked) in moved {
            Box::pin(self.settings.report_moved(&key, EndReason::Asked, marked)).await;
        }
        Ok(())
    }
}

impl State {
    /// Returns the key of the session and, as long as the visit has not found out which candidate names the session,
    /// the keys of the other candidates.
    fn keys_to_destroy(&mut self) -> (Option<SessionKey>, Vec<SessionKey>) {
        let key = self.lookup_key().or(self.cold().previous_key);
        let others = if self.seen {
            &[][..]
        } else {
            &self.cold().candidates[..]
        };
        (key, others.iter().map(SessionId::key).collect())
    }
}
