//! [`WaitQueues`]: the wait queues of a process, one for each session whose lock is wanted.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use sessile_core::{KeyHasher, LockId, LockToken, SessionKey};

use super::message::Message;
use super::queue::WaitQueue;
use crate::net::OnMessage;
use crate::sync::lock;

/// The number of independently locked stripes of the table, so that tasks seldom contend for one mutex.
const STRIPES: usize = 16;

/// Called for a token that the server may know and that no task wants any longer.
type OnAbandoned = Box<dyn Fn(SessionKey, LockToken) + Send + Sync>;

/// One stripe of the table.
type Stripe = HashMap<SessionKey, WaitQueue, BuildHasherDefault<KeyHasher>>;

/// All wait queues of a process.
pub(crate) struct WaitQueues {
    stripes: [Mutex<Stripe>; STRIPES],
    /// The session of each token that was left in a queue of the server, until the token has got the lock or was given
    /// back.
    enqueued: Mutex<HashMap<LockToken, SessionKey>>,
    /// The tokens among them that may remain there although their lock was taken and released, and until when.
    lingering: Mutex<VecDeque<(Instant, LockToken)>>,
    /// The tokens that were found to hold a lock before the message that says so has arrived.
    awaited: Mutex<HashSet<LockToken>>,
    next_id: AtomicU64,
    pub(super) max_waiters: usize,
    pub(super) on_abandoned: OnAbandoned,
}

impl WaitQueues {
    pub(crate) fn new(max_waiters: usize, on_abandoned: OnAbandoned) -> Arc<Self> {
        Arc::new(Self {
            stripes: Default::default(),
            enqueued: Mutex::default(),
            lingering: Mutex::default(),
            awaited: Mutex::default(),
            next_id: AtomicU64::new(0),
            max_waiters,
            on_abandoned,
        })
    }

    /// Returns an id for a waiter. None is used twice, so a waiter that leaves late does not leave a queue in which it
    /// never was.
    pub(super) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Delivers a message for a token to the queue that asks with it. A lock that is granted to a token with which no
    /// task asks any longer is given back.
    pub(crate) fn deliver(&self, token: &LockToken, message: Message) {
        self.deliver_to_queue(token, message);
        // Removed afterwards: a task that begins to await the message meanwhile finds it in the queue or arrived.
        lock(&self.awaited).remove(token);
    }

    fn deliver_to_queue(&self, token: &LockToken, message: Message) {
        let Some(key) = self.enqueued().get(token).copied() else {
            return;
        };
        let mut stripe = self.stripe(&key);
        if let Some(queue) = stripe.get_mut(&key)
            && queue.token == *token
        {
            // A grant is replaced only by a later grant, so that it is not forgotten over another message.
            if matches!(message, Message::Granted(..)) || !matches!(queue.message, Some(Message::Granted(..))) {
                queue.message = Some(message);
                queue.notify();
            }
            return;
        }
        // The token may have got the lock meanwhile, by the reply to a request. The stripe is still locked here, and
        // `Waiter::complete` removes the token from `enqueued` under the same lock.
        let is_enqueued = self.enqueued().contains_key(token);
        drop(stripe);
        if is_enqueued && matches!(message, Message::Granted(..)) {
            (self.on_abandoned)(key, *token);
        }
    }

    /// Registers that a message for this token is still to come.
    pub(crate) fn await_message(self: &Arc<Self>, token: LockToken) -> AwaitedMessage {
        lock(&self.awaited).insert(token);
        AwaitedMessage {
            queues: Arc::clone(self),
            token,
        }
    }

    /// Forgets a token for which no message is to come any more.
    pub(crate) fn forget(&self, token: &LockToken) {
        self.enqueued().remove(token);
    }

    /// Remembers for a while to which session a released token belongs. The token may still be in the server's queue,
    /// and be granted a lock that no task wants, if the request that took the lock could not name the queue, or if it
    /// overtook an earlier request.
    pub(crate) fn linger(&self, lock_id: &LockId, time: Duration) {
        let now = Instant::now();
        let expired = {
            let mut lingering = lock(&self.lingering);
            let expired = lingering.iter().take_while(|(until, _)| *until <= now).count();
            lingering.push_back((now + time, lock_id.token));
            lingering.drain(..expired).collect::<Vec<_>>()
        };
        let mut enqueued = self.enqueued();
        for (_, token) in expired {
            enqueued.remove(&token);
        }
        enqueued.insert(lock_id.token, lock_id.key);
    }

    /// Returns the length of the queue of this session.
    #[cfg(test)]
    pub(super) fn len(&self, key: &SessionKey) -> usize {
        self.stripe(key).get(key).map_or(0, |queue| queue.rest.len() + 1)
    }

    /// Locks the stripe of a session. It may be held while [`enqueued`](Self::enqueued) is locked, not the other way
    /// round.
    pub(super) fn stripe(&self, key: &SessionKey) -> MutexGuard<'_, Stripe> {
        lock(&self.stripes[usize::from(key.digest()[31]) % STRIPES])
    }

    pub(super) fn enqueued(&self) -> MutexGuard<'_, HashMap<LockToken, SessionKey>> {
        lock(&self.enqueued)
    }

    /// Removes a waiter from its queue. If it was the head, the next waiter takes over its token; if it was the last,
    /// the token is given back.
    pub(super) fn leave(&self, key: &SessionKey, id: u64) {
        let abandoned = {
            let mut stripe = self.stripe(key);
            let Some(queue) = stripe.get_mut(key) else { return };
            if queue.head != id {
                queue.rest.retain(|(other, _)| *other != id);
                return;
            }
            if queue.advance() {
                return;
            }
            let queue = stripe.remove(key);
            queue.filter(|queue| queue.is_sent).map(|queue| queue.token)
        };
        if let Some(token) = abandoned {
            // The callback forgets the token when it has been given back.
            (self.on_abandoned)(*key, token);
        }
    }
}

impl OnMessage for WaitQueues {
    fn message(&self, payload: Vec<u8>) {
        if let Some((token, message)) = Message::parse(payload) {
            self.deliver(&token, message);
        }
    }

    fn missed(&self) {
        for stripe in &self.stripes {
            lock(stripe).values().for_each(WaitQueue::notify);
        }
    }
}

/// A message that is awaited until this is dropped.
pub(crate) struct AwaitedMessage {
    queues: Arc<WaitQueues>,
    token: LockToken,
}

impl AwaitedMessage {
    pub(crate) fn has_arrived(&self) -> bool {
        !lock(&self.queues.awaited).contains(&self.token)
    }
}

impl Drop for AwaitedMessage {
    fn drop(&mut self) {
        lock(&self.queues.awaited).remove(&self.token);
    }
}
