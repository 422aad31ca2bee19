//! Taking a lock: in line with the rest of this process, in turn with the other processes.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{
    Lock, LockTicket, LockToken, Lookup, MAX_ALIASES, SessionKey, StorageError, StorageErrorKind, Unlock,
};
use tokio::time::{Instant, timeout_at};

use crate::answer::Answer;
use crate::engine::{Engine, Kind, millis};
use crate::error::Failure;
use crate::keys::Keyspace;
use crate::net::Again;
use crate::script;
use crate::wait::{Call, News, Over, Place};

/// How often a process that cannot be told looks by itself.
const DEAF_POLL: Duration = Duration::from_millis(50);

/// The end of a wait of any length. More than a century is no different from a century.
fn soon(wait: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
    Instant::now() + wait.min(CENTURY)
}

/// How a turn in front ended.
enum Turn {
    /// With the lock, and what it guards.
    Served(LockToken, Vec<u8>),
    /// With what stands there instead of a record.
    Elsewhere(Answer),
    /// Because the time was over.
    TimedOut,
}

impl Engine {
    /// Takes the lock of a session, waiting for it if need be, and reads the record.
    pub(crate) async fn lock(
        self: &Arc<Self>,
        key: &SessionKey,
        wait: Duration,
    ) -> Result<Lookup<(Lock, Vec<u8>)>, StorageError> {
        let until = soon(wait);
        let error = |kind| StorageError::new(kind, self.kind.locking(), self.kind.name());
        let mut key = *key;
        // What the way ends with if it does not end at a record: whoever was led away from the first key has moved.
        let mut nothing = Lookup::Missing;
        for _ in 0..=MAX_ALIASES {
            let mut place = self
                .lines
                .join(&key)
                .ok_or_else(|| error(StorageErrorKind::TooManyWaiters))?;
            let waited = place.waits();
            let Ok(call) = timeout_at(until, place.call()).await else {
                return Err(error(StorageErrorKind::LockTimeout));
            };
            match call {
                Call::Front => {}
                Call::Over(Over::Missing) => return Ok(nothing),
                Call::Over(Over::Superseded) => return Ok(Lookup::Superseded),
                Call::Over(Over::Failed(kind)) => return Err(error(kind)),
            }
            match self.in_front(&place, &key, waited, until).await {
                Ok(Turn::Served(token, record)) => {
                    place.served();
                    let engine: Arc<Self> = Arc::clone(self);
                    let lock = Lock::new(LockTicket::new(key, token), self.options.lease, engine);
                    return Ok(Lookup::Found((lock, record)));
                }
                Ok(Turn::TimedOut) => return Err(error(StorageErrorKind::LockTimeout)),
                Ok(Turn::Elsewhere(Answer::Alias { target })) => {
                    place.served();
                    key = Keyspace::key(key.shard(), &target)
                        .ok_or_else(|| Failure::Nonsense.into_error(self.kind.locking(), self.kind.name()))?;
                    nothing = Lookup::Superseded;
                }
                Ok(Turn::Elsewhere(Answer::Missing)) => {
                    place.over(Over::Missing);
                    return Ok(nothing);
                }
                Ok(Turn::Elsewhere(_)) => {
                    place.over(Over::Superseded);
                    return Ok(Lookup::Superseded);
                }
                Err(failure) => {
                    let error = failure.into_error(self.kind.locking(), self.kind.name());
                    place.over(Over::Failed(error.kind()));
                    return Err(error);
                }
            }
        }
        // What comes after the last alias that is followed is not asked for.
        Ok(Lookup::Superseded)
    }

    /// Asks, and asks again whenever there is reason to.
    async fn in_front(&self, place: &Place, key: &SessionKey, waited: bool, until: Instant) -> Result<Turn, Failure> {
        if !waited {
            // Nobody of this process is before us, so most likely nobody at all.
            let token = place.ask(false);
            match self.try_lock(key, &token, &[]).await? {
                Answer::Busy(_) => place.refused(),
                answer => return self.conclude(token, answer, key).await,
            }
            if Instant::now() >= until {
                return Ok(Turn::TimedOut);
            }
        }
        let channel = self.keys.channel(self.net.channel_shard(key.shard()), &self.process);
        let bell = place.bell();
        loop {
            // A grant that is heard of too late is only a reason to ask: the lease may be over, and the record be replaced.
            if let Some(News::Granted(record)) = place.news()
                && place.is_grant_fresh(self.options.lease)
            {
                return Ok(Turn::Served(place.ask(true), record));
            }
            // Only who listens is told, so that comes before standing in the server's queue.
            let listening = self.net.listen(key.shard(), &channel).await.is_ok();
            let token = place.ask(listening);
            let entry = if listening {
                self.entry(&token, &channel)
            } else {
                Vec::new()
            };
            let asked_at = std::time::Instant::now();
            match self.try_lock(key, &token, &entry).await? {
                Answer::Busy(rest) => {
                    match listening {
                        true => place.queued(asked_at),
                        false => place.refused(),
                    }
                    if Instant::now() >= until {
                        return Ok(Turn::TimedOut);
                    }
                    // When the present lease ends, or the record does, things have changed.
                    let poll = if listening { self.options.poll } else { DEAF_POLL };
                    let pause = rest.saturating_add(Duration::from_millis(1)).min(poll);
                    let _ = timeout_at(until.min(Instant::now() + pause), bell.notified()).await;
                }
                answer => return self.conclude(token, answer, key).await,
            }
        }
    }

    /// What an answer means that is not to be waited upon.
    async fn conclude(&self, token: LockToken, answer: Answer, key: &SessionKey) -> Result<Turn, Failure> {
        match answer {
            Answer::Done(Some(record)) => Ok(Turn::Served(token, record)),
            Answer::Granted(record) => {
                self.net.distrust(key.shard()).await;
                Ok(Turn::Served(token, record))
            }
            answer => Ok(Turn::Elsewhere(answer)),
        }
    }

    /// Asks for the lock once, and joins the server's queue with this entry, if it is one.
    async fn try_lock(&self, key: &SessionKey, token: &LockToken, entry: &[u8]) -> Result<Answer, Failure> {
        let lock = match self.kind {
            Kind::Sessions => &script::LOCK,
            Kind::Locks => &script::BARE_LOCK,
        };
        let mut cmd = self.call(lock, key);
        cmd.arg(token.as_bytes()).arg(millis(self.options.lease)).arg(entry);
        // Long enough to be renewed by the next look, short enough not to be in the way of others.
        cmd.arg(millis(self.options.poll * 10));
        self.ask(key, &cmd, Again::Harmless).await
    }

    /// What stands for this process in the server's queue.
    fn entry(&self, token: &LockToken, channel: &[u8]) -> Vec<u8> {
        let lease = u32::try_from(millis(self.options.lease)).unwrap_or(u32::MAX);
        [&token.as_bytes()[..], &lease.to_be_bytes(), channel].concat()
    }

    /// Lets the lease of a lock run anew.
    pub(crate) async fn renew(&self, ticket: &LockTicket) -> Result<Answer, Failure> {
        let renew = match self.kind {
            Kind::Sessions => &script::RENEW,
            Kind::Locks => &script::BARE_RENEW,
        };
        let mut cmd = self.call(renew, &ticket.key);
        cmd.arg(ticket.token.as_bytes()).arg(millis(self.options.lease));
        self.ask(&ticket.key, &cmd, Again::Harmless).await
    }

    /// Gives a lock up.
    pub(crate) async fn release(&self, ticket: &LockTicket) -> Result<(), Failure> {
        self.give_back(ticket, &[]).await
    }

    /// Gives up whatever this token has got, and its place in the server's queue.
    pub(crate) async fn abandon(&self, ticket: &LockTicket) -> Result<(), Failure> {
        let channel = self
            .keys
            .channel(self.net.channel_shard(ticket.key.shard()), &self.process);
        self.give_back(ticket, &self.entry(&ticket.token, &channel)).await
    }

    async fn give_back(&self, ticket: &LockTicket, entry: &[u8]) -> Result<(), Failure> {
        let release = match self.kind {
            Kind::Sessions => &script::RELEASE,
            Kind::Locks => &script::BARE_RELEASE,
        };
        let mut cmd = self.call(release, &ticket.key);
        cmd.arg(ticket.token.as_bytes()).arg(entry);
        self.ask(&ticket.key, &cmd, Again::Harmless).await.map(drop)
    }
}

/// Locks that were dropped are released in the background.
impl Unlock for Engine {
    fn unlock(&self, ticket: LockTicket) {
        self.in_background(move |engine| async move { engine.release(&ticket).await });
    }
}
