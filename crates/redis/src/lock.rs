//! Taking a lock: first within the process, then in turn with other processes.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{
    Clock as _, Lock, LockId, LockToken, Lookup, MAX_ALIASES, SessionKey, StorageError, StorageErrorKind, Timestamp,
};
use tokio::time::{Instant, timeout_at};

use crate::call::CallForm;
use crate::client::{Client, Kind, millis};
use crate::error::Failure;
use crate::keys::Keyspace;
use crate::net::Idempotency;
use crate::options::CENTURY;
use crate::reply::Reply;
use crate::script;
use crate::wait::{End, Message, Signal, Waiter};

/// The poll interval of a process that has no subscription.
const UNSUBSCRIBED_POLL: Duration = Duration::from_millis(50);

/// The number of poll intervals for which an entry in the server's queue is valid.
const ENTRY_POLLS: u32 = 3;

/// The change that a request for a lock makes to the entry of its token in the server's queue.
#[derive(Debug, Clone, Copy)]
enum QueueEntry<'a> {
    /// Nothing: the token was never enqueued.
    None,
    /// Removes it, if the lock is taken.
    Remove,
    /// Adds or renews it, with the channel for messages and the number of this request.
    Join(&'a [u8], [u8; 8]),
}

/// The outcome of the head of a wait queue.
enum Acquisition {
    /// The lock was taken, and this is the record.
    Acquired(LockToken, Vec<u8>),
    /// There is no lock to take; the reply says why.
    Refused(Reply),
    /// The time limit is over.
    TimedOut,
}

impl Client {
    /// Takes the lock of a session, waiting for it if necessary, and reads the record.
    pub(crate) async fn lock(
        self: &Arc<Self>,
        key: &SessionKey,
        wait: Duration,
    ) -> Result<Lookup<(Lock, Vec<u8>)>, StorageError> {
        let until = Instant::now() + wait.min(CENTURY);
        let error = |kind| StorageError::new(kind, self.kind.locking(), self.kind.name());
        let failed = |failure: Failure| failure.into_error(self.kind.locking(), self.kind.name());
        let mut key = *key;
        // The result if the aliases lead to no record. Once an alias was followed, the session has moved.
        let mut nothing = Lookup::Missing;
        let (mut steps, mut settled) = (0, false);
        // The key to which the last permitted alias points is not requested.
        while steps <= MAX_ALIASES {
            let mut waiter = Waiter::join(&self.queues, &key).ok_or_else(|| error(StorageErrorKind::TooManyWaiters))?;
            let has_waited = waiter.is_behind();
            let Ok(signal) = timeout_at(until, waiter.signal()).await else {
                return Err(error(StorageErrorKind::LockTimeout));
            };
            match signal {
                Signal::Head => {}
                Signal::End(End::Missing) => return Ok(nothing),
                Signal::End(End::Superseded) => return Ok(Lookup::Superseded),
                Signal::End(End::Failed(kind)) => return Err(error(kind)),
            }
            match self.acquire_as_head(&waiter, &key, has_waited, until).await {
                Ok(Acquisition::Acquired(token, record)) => {
                    let may_be_enqueued = waiter.is_enqueued();
                    waiter.complete();
                    let lock_id = LockId::new(key, token);
                    let lock = Lock::new(lock_id, self.options.lease, self.hold(lock_id, may_be_enqueued));
                    return Ok(Lookup::Found((lock, record)));
                }
                Ok(Acquisition::TimedOut) => return Err(error(StorageErrorKind::LockTimeout)),
                Ok(Acquisition::Refused(Reply::Alias { target })) => {
                    waiter.complete();
                    key = Keyspace::key(key.shard(), &target).ok_or_else(|| failed(Failure::UnexpectedReply))?;
                    nothing = Lookup::Superseded;
                    (steps, settled) = (steps + 1, false);
                }
                Ok(Acquisition::Refused(Reply::Arriving { from })) => {
                    // The next waiter finds the arriving record by itself.
                    waiter.complete();
                    // Settling a record and asking for it again is one step, unless it has to be settled repeatedly.
                    steps += usize::from(std::mem::replace(&mut settled, true));
                    if !Box::pin(self.settle(&key, &from)).await.map_err(failed)? {
                        return Ok(nothing);
                    }
                }
                Ok(Acquisition::Refused(Reply::Missing)) => {
                    waiter.end_all(End::Missing);
                    return Ok(nothing);
                }
                Ok(Acquisition::Refused(_)) => {
                    waiter.end_all(End::Superseded);
                    return Ok(Lookup::Superseded);
                }
                Err(failure) => {
                    let error = failed(failure);
                    waiter.end_all(End::Failed(error.kind()));
                    return Err(error);
                }
            }
        }
        Ok(Lookup::Superseded)
    }

    /// Requests the lock, and repeats the request after messages, poll intervals and expected changes.
    async fn acquire_as_head(
        &self,
        waiter: &Waiter,
        key: &SessionKey,
        has_waited: bool,
        until: Instant,
    ) -> Result<Acquisition, Failure> {
        if !has_waited {
            // The lock is uncontended in this process, so most likely in all: try it without a subscription first.
            let token = waiter.token(false);
            match self.try_lock(key, &token, QueueEntry::None).await? {
                (Reply::Busy(_), _) => waiter.token_refused(),
                (reply, _) => return Ok(Self::conclude(token, reply)),
            }
            if Instant::now() >= until {
                return Ok(Acquisition::TimedOut);
            }
        }
        let channel = self.keys.channel(self.router.channel_shard(key.shard()), &self.process);
        // Obtained before the first request that may be followed by a message.
        let notify = waiter.notify();
        let mut notified = false;
        // The generation of the subscription on which the message about the last request arrives.
        let mut subscribed_on = None;
        loop {
            // A late grant is only a reason to ask again: the lease may be over, and the record replaced since.
            if let Some(Message::Granted(request, record)) = waiter.take_message() {
                if waiter.is_grant_fresh(request, self.options.lease) {
                    return Ok(Acquisition::Acquired(waiter.token(true), record));
                }
                notified = true;
            }
            // Subscribed before the token joins the server's queue: only subscribers can be handed a lock.
            let generation = self.router.subscribe(key.shard(), &channel).await.ok();
            let is_subscribed = generation.is_some();
            let token = waiter.token(is_subscribed);
            let entry = match (is_subscribed, waiter.is_enqueued()) {
                (true, _) => QueueEntry::Join(&channel, waiter.begin_request()),
                (false, true) => QueueEntry::Remove,
                (false, false) => QueueEntry::None,
            };
            match self.try_lock(key, &token, entry).await? {
                (Reply::Busy(rest), form) => {
                    let enqueued = is_subscribed && !form.record_only;
                    subscribed_on = generation.filter(|_| enqueued);
                    if !enqueued {
                        waiter.token_refused();
                    }
                    if Instant::now() >= until {
                        return Ok(Acquisition::TimedOut);
                    }
                    // At the end of the present lease, or of the record, the reply will be another.
                    let poll = if enqueued { self.options.poll } else { UNSUBSCRIBED_POLL };
                    let pause = rest.saturating_add(Duration::from_millis(1)).min(poll);
                    let _ = timeout_at(until.min(Instant::now() + pause), notify.notified()).await;
                }
                (reply, _) => {
                    notified |= matches!(waiter.take_message(), Some(Message::Granted(..)));
                    // The lock had been granted without a message. This says something about the present subscription
                    // only if it already existed when the token joined the queue.
                    if let (Reply::Granted(_), false, Some(generation)) = (&reply, notified, generation)
                        && subscribed_on == Some(generation)
                    {
                        self.verify_delivery(waiter, key, token, generation, channel);
                    }
                    return Ok(Self::conclude(token, reply));
                }
            }
        }
    }

    /// Interprets a reply other than [`Reply::Busy`].
    fn conclude(token: LockToken, reply: Reply) -> Acquisition {
        match reply {
            Reply::Done(Some(record)) | Reply::Granted(record) => Acquisition::Acquired(token, record),
            reply => Acquisition::Refused(reply),
        }
    }

    /// Requests the lock once.
    ///
    /// A server that was suspended executes old requests. Each request therefore carries the moment until which it is
    /// valid, so that no lock is taken for a caller that has given up. The moment is an estimate: if the server says
    /// that it has passed although the reply is here in time, the server's clock was set, and it is asked once more.
    async fn try_lock(
        &self,
        key: &SessionKey,
        token: &LockToken,
        entry: QueueEntry<'_>,
    ) -> Result<(Reply, CallForm), Failure> {
        let lock = match self.kind {
            Kind::Sessions => &script::LOCK,
            Kind::Locks => &script::LOCKS_ACQUIRE,
        };
        let entry = match entry {
            QueueEntry::None => None,
            QueueEntry::Remove => Some(([].as_slice(), [0; 8])),
            QueueEntry::Join(channel, request) => Some((channel, request)),
        };
        for _ in 0..2 {
            let valid_until = self.valid_until().as_millis();
            let replied = self.run(key, None, |form| {
                let record_only = form.record_only || entry.is_none();
                let mut cmd = self.call(lock, key, CallForm { record_only, ..form });
                cmd.arg(token.as_bytes())
                    .arg(millis(self.options.lease))
                    .arg(valid_until);
                if let Some((channel, request)) = entry {
                    cmd.arg("1").arg(channel).arg(millis(self.entry_ttl())).arg(&request);
                }
                cmd
            });
            match replied.await? {
                (Reply::Late, _) => {}
                reply => return Ok(reply),
            }
        }
        Err(Failure::Timeout)
    }

    /// Returns how long an entry in the server's queue is valid.
    fn entry_ttl(&self) -> Duration {
        self.options.poll.saturating_mul(ENTRY_POLLS)
    }

    /// Returns how long a released token may remain in the server's queue: as long as its entry is valid. The last
    /// request may have written that at the end of its own validity.
    pub(crate) fn linger_time(&self) -> Duration {
        self.entry_ttl().saturating_add(self.router.timeout).min(CENTURY)
    }

    /// Returns the moment, by the server's clock, until which a request that is sent now is valid. The estimate of that
    /// clock lags behind, so the moment is too early rather than too late.
    pub(crate) fn valid_until(&self) -> Timestamp {
        self.clock.now() + self.router.deadline().saturating_duration_since(Instant::now())
    }

    /// Restarts the lease of a lock.
    pub(crate) async fn renew(&self, lock_id: &LockId) -> Result<Reply, Failure> {
        let renew = match self.kind {
            Kind::Sessions => &script::RENEW,
            Kind::Locks => &script::LOCKS_RENEW,
        };
        // The queue is not needed.
        let form = CallForm {
            record_only: true,
            is_retry: false,
        };
        let mut cmd = self.call(renew, &lock_id.key, form);
        cmd.arg(lock_id.token.as_bytes()).arg(millis(self.options.lease));
        self.eval(&lock_id.key, &cmd, Idempotency::Idempotent).await
    }
}
