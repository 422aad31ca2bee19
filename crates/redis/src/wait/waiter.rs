//! [`Waiter`]: the position of one task in a wait queue.

use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile_core::{LockToken, OsEntropy, SessionKey};
use tokio::sync::{Notify, oneshot};

use super::message::Message;
use super::queue::{End, Request, Signal, WaitQueue};
use super::queues::WaitQueues;

/// The position of one task in a wait queue. Dropping it leaves the queue.
pub(crate) struct Waiter {
    queues: Arc<WaitQueues>,
    key: SessionKey,
    id: u64,
    pub(super) signal: Option<oneshot::Receiver<Signal>>,
}

impl Waiter {
    /// Joins the queue of a session; `None` if it is full.
    pub(crate) fn join(queues: &Arc<WaitQueues>, key: &SessionKey) -> Option<Self> {
        let id = queues.next_id();
        let signal = match queues.stripe(key).entry(*key) {
            Entry::Vacant(vacant) => {
                vacant.insert(WaitQueue::new(id));
                None
            }
            Entry::Occupied(mut queue) => {
                let queue = queue.get_mut();
                if queue.rest.len() + 1 >= queues.max_waiters {
                    return None;
                }
                let (sender, signal) = oneshot::channel();
                queue.rest.push_back((id, sender));
                Some(signal)
            }
        };
        Some(Self {
            queues: Arc::clone(queues),
            key: *key,
            id,
            signal,
        })
    }

    /// Returns whether another waiter is ahead of this one.
    pub(crate) fn is_behind(&self) -> bool {
        self.signal.is_some()
    }

    /// Waits until this waiter is the head, or there is nothing to wait for. Returns at once for the head.
    pub(crate) async fn signal(&mut self) -> Signal {
        match &mut self.signal {
            None => Signal::Head,
            Some(signal) => {
                let signal = signal.await.unwrap_or(Signal::Head);
                self.signal = None;
                signal
            }
        }
    }

    /// Returns the token for a request to the server. `enqueues` says that the request may leave it in the server's
    /// queue.
    pub(crate) fn token(&self, enqueues: bool) -> LockToken {
        let mut stripe = self.queues.stripe(&self.key);
        let queue = stripe.get_mut(&self.key).expect("a waiter keeps its queue");
        queue.is_sent = true;
        if enqueues && !queue.is_enqueued {
            queue.is_enqueued = true;
            self.queues.enqueued().insert(queue.token, self.key);
        }
        queue.token
    }

    /// Returns whether the token was ever left in the server's queue.
    pub(crate) fn is_enqueued(&self) -> bool {
        let stripe = self.queues.stripe(&self.key);
        stripe.get(&self.key).is_some_and(|queue| queue.is_enqueued)
    }

    /// Records that the server has refused the token without keeping it.
    pub(crate) fn token_refused(&self) {
        if let Some(queue) = self.queues.stripe(&self.key).get_mut(&self.key) {
            queue.is_sent = queue.is_enqueued;
        }
    }

    /// Begins a request that may leave the token in the server's queue. Returns its number, as the scripts take it.
    pub(crate) fn begin_request(&self) -> [u8; 8] {
        let mut stripe = self.queues.stripe(&self.key);
        let queue = stripe.get_mut(&self.key).expect("a waiter keeps its queue");
        let number = queue.request.map_or(0, |request| request.number) + 1;
        let began = Instant::now();
        queue.request = Some(Request { number, began });
        number.to_be_bytes()
    }

    /// Returns whether a lock that was granted to this request is still held, given its lease.
    ///
    /// A process that was stopped or cut off may receive the grant late. A grant for an earlier request does not count:
    /// other processes may have taken the lock and written before the last request found it held.
    pub(crate) fn is_grant_fresh(&self, number: u64, lease: Duration) -> bool {
        let stripe = self.queues.stripe(&self.key);
        let request = stripe.get(&self.key).and_then(|queue| queue.request);
        request.is_some_and(|request| request.number == number && request.began.elapsed() < lease)
    }

    /// Takes the message that has arrived since the last call, if any.
    pub(crate) fn take_message(&self) -> Option<Message> {
        self.queues.stripe(&self.key).get_mut(&self.key)?.message.take()
    }

    /// Returns the handle that is notified when a message may have arrived. It has to be obtained before the request
    /// whose result the message announces.
    pub(crate) fn notify(&self) -> Arc<Notify> {
        let mut stripe = self.queues.stripe(&self.key);
        let queue = stripe.get_mut(&self.key);
        let notify = queue.map(|queue| queue.notify.get_or_insert_default());
        notify.cloned().unwrap_or_default()
    }

    /// Leaves the queue with the lock. The next waiter asks for it anew, with another token.
    pub(crate) fn complete(self) {
        let mut stripe = self.queues.stripe(&self.key);
        let Some(queue) = stripe.get_mut(&self.key) else { return };
        let (token, is_enqueued) = (queue.token, queue.is_enqueued);
        if queue.advance() {
            queue.token = LockToken::generate(&OsEntropy);
            queue.is_sent = false;
            queue.is_enqueued = false;
            queue.message = None;
            queue.request = None;
        } else {
            stripe.remove(&self.key);
        }
        // Removed while the stripe is still locked. `WaitQueues::deliver` would otherwise find the token enqueued but
        // in no queue, take its grant for a lock that no task wants, and release the lock under its holder.
        if is_enqueued {
            self.queues.enqueued().remove(&token);
        }
    }

    /// Ends the wait of the whole queue with the same result.
    pub(crate) fn end_all(self, end: End) {
        let queue = self.queues.stripe(&self.key).remove(&self.key);
        let Some(queue) = queue else { return };
        for (_, signal) in queue.rest {
            let _ = signal.send(Signal::End(end));
        }
        if queue.is_sent && matches!(end, End::Failed(_)) {
            // The callback forgets the token when it has been given back.
            (self.queues.on_abandoned)(self.key, queue.token);
        } else {
            self.queues.forget(&queue.token);
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.queues.leave(&self.key, self.id);
    }
}
