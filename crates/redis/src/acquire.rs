//! Taking a lock: in line with the rest of this process, in turn with the other processes.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{
    Clock as _, Lock, LockTicket, LockToken, Lookup, MAX_ALIASES, SessionKey, StorageError, StorageErrorKind, Timestamp,
};
use tokio::time::{Instant, timeout_at};

use crate::again::Form;
use crate::answer::Answer;
use crate::engine::{Engine, Kind, millis};
use crate::error::Failure;
use crate::keys::Keyspace;
use crate::net::Again;
use crate::script;
use crate::wait::{Call, News, Over, Place};

/// How often a process that cannot be told looks by itself.
const DEAF_POLL: Duration = Duration::from_millis(50);

/// The number of looks of its owner during which an entry in a queue is trusted.
const TRUST: u32 = 3;

/// More is no different.
pub(crate) const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The end of a wait of any length.
fn soon(wait: Duration) -> Instant {
    Instant::now() + wait.min(CENTURY)
}

/// The part that the server's queue has in a question for a lock.
#[derive(Debug, Clone, Copy)]
enum Queue<'a> {
    /// The token has never stood there.
    Never,
    /// Its entry goes when the lock is taken.
    Leave,
    /// It joins, to be told on this channel with the number of this look, or its entry is renewed.
    Join(&'a [u8], [u8; 8]),
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
        let (mut steps, mut settled) = (0, false);
        // Nothing is asked for behind the last alias that is followed.
        while steps <= MAX_ALIASES {
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
                    let may_stand = place.is_left();
                    place.served();
                    let ticket = LockTicket::new(key, token);
                    let lock = Lock::new(ticket, self.options.lease, self.hold(ticket, may_stand));
                    return Ok(Lookup::Found((lock, record)));
                }
                Ok(Turn::TimedOut) => return Err(error(StorageErrorKind::LockTimeout)),
                Ok(Turn::Elsewhere(Answer::Alias { target })) => {
                    place.served();
                    key = Keyspace::key(key.shard(), &target)
                        .ok_or_else(|| Failure::Nonsense.into_error(self.kind.locking(), self.kind.name()))?;
                    nothing = Lookup::Superseded;
                    (steps, settled) = (steps + 1, false);
                }
                Ok(Turn::Elsewhere(Answer::Arriving { from })) => {
                    // The next in line finds out as well.
                    place.served();
                    // It is the same step of the way, if it comes to an end.
                    steps += usize::from(std::mem::replace(&mut settled, true));
                    let counts = Box::pin(self.settle(&key, &from)).await;
                    if !counts.map_err(|failure| failure.into_error(self.kind.locking(), self.kind.name()))? {
                        return Ok(nothing);
                    }
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
        Ok(Lookup::Superseded)
    }

    /// Asks, and asks again whenever there is reason to.
    async fn in_front(&self, place: &Place, key: &SessionKey, waited: bool, until: Instant) -> Result<Turn, Failure> {
        if !waited {
            // Nobody of this process is before us, so most likely nobody at all.
            let token = place.ask(false);
            match self.try_lock(key, &token, Queue::Never).await? {
                (Answer::Busy(_), _) => place.refused(),
                (answer, _) => return Ok(Self::conclude(token, answer)),
            }
            if Instant::now() >= until {
                return Ok(Turn::TimedOut);
            }
        }
        let channel = self.keys.channel(self.net.channel_shard(key.shard()), &self.process);
        let bell = place.bell();
        let mut told = false;
        // The connection on which the last look has listened for what comes of it.
        let mut listened = None;
        loop {
            // A grant that is heard of too late is only a reason to ask: the lease may be over, and the record be replaced.
            if let Some(News::Granted(look, record)) = place.news() {
                if place.is_grant_fresh(look, self.options.lease) {
                    return Ok(Turn::Served(place.ask(true), record));
                }
                told = true;
            }
            // Only who listens is told, so that comes before standing in the server's queue.
            let generation = self.net.listen(key.shard(), &channel).await.ok();
            let listening = generation.is_some();
            let token = place.ask(listening);
            let queue = match (listening, place.is_left()) {
                (true, _) => Queue::Join(&channel, place.look()),
                (false, true) => Queue::Leave,
                (false, false) => Queue::Never,
            };
            match self.try_lock(key, &token, queue).await? {
                (Answer::Busy(rest), form) => {
                    let queued = listening && !form.narrow;
                    listened = generation.filter(|_| queued);
                    if !queued {
                        place.refused();
                    }
                    if Instant::now() >= until {
                        return Ok(Turn::TimedOut);
                    }
                    // When the present lease ends, or the record does, things have changed.
                    let poll = if queued { self.options.poll } else { DEAF_POLL };
                    let pause = rest.saturating_add(Duration::from_millis(1)).min(poll);
                    let _ = timeout_at(until.min(Instant::now() + pause), bell.notified()).await;
                }
                (answer, _) => {
                    told |= matches!(place.news(), Some(News::Granted(..)));
                    // What was sent to a connection that is no more says nothing about the present one.
                    if let (Answer::Granted(_), false, Some(generation)) = (&answer, told, generation)
                        && listened == Some(generation)
                    {
                        self.miss(place, key, token, generation, channel);
                    }
                    return Ok(Self::conclude(token, answer));
                }
            }
        }
    }

    /// What an answer means that is not to be waited upon.
    fn conclude(token: LockToken, answer: Answer) -> Turn {
        match answer {
            Answer::Done(Some(record)) | Answer::Granted(record) => Turn::Served(token, record),
            answer => Turn::Elsewhere(answer),
        }
    }

    /// Asks for the lock once.
    ///
    /// A server that has stood still answers questions of long ago. It is told until when this one is wanted, so that no
    /// lock is taken for somebody who has given up. That moment is an estimate: if the server says that it has passed
    /// although the answer is here in time, its clock is not where it was, and it is asked once more.
    async fn try_lock(&self, key: &SessionKey, token: &LockToken, queue: Queue<'_>) -> Result<(Answer, Form), Failure> {
        let lock = match self.kind {
            Kind::Sessions => &script::LOCK,
            Kind::Locks => &script::BARE_LOCK,
        };
        let queue = match queue {
            Queue::Never => None,
            Queue::Leave => Some(([].as_slice(), [0; 8])),
            Queue::Join(channel, look) => Some((channel, look)),
        };
        for _ in 0..2 {
            let latest = self.latest().as_millis();
            let asked = self.run(key, None, |form| {
                let narrow = form.narrow || queue.is_none();
                let mut cmd = self.call(lock, key, Form { narrow, ..form });
                cmd.arg(token.as_bytes()).arg(millis(self.options.lease)).arg(latest);
                if let Some((channel, look)) = queue {
                    cmd.arg("1").arg(channel).arg(millis(self.trust())).arg(&look);
                }
                cmd
            });
            match asked.await? {
                (Answer::Late, _) => {}
                answer => return Ok(answer),
            }
        }
        Err(Failure::Timeout)
    }

    /// Returns how long an entry in the server's queue is trusted.
    fn trust(&self) -> Duration {
        self.options.poll.saturating_mul(TRUST)
    }

    /// Returns how long a token that was given up may stand in the server's queue: as long as its entry is trusted,
    /// which the last question for it may have written as late as it was wanted.
    pub(crate) fn lingers(&self) -> Duration {
        self.trust().saturating_add(self.net.timeout()).min(CENTURY)
    }

    /// The last moment at which the answer to a question asked now is wanted, by the server's clock. What is known of that
    /// clock lags behind, so this is too early rather than too late.
    pub(crate) fn latest(&self) -> Timestamp {
        self.clock.now() + self.net.deadline().saturating_duration_since(Instant::now())
    }

    /// Lets the lease of a lock run anew.
    pub(crate) async fn renew(&self, ticket: &LockTicket) -> Result<Answer, Failure> {
        let renew = match self.kind {
            Kind::Sessions => &script::RENEW,
            Kind::Locks => &script::BARE_RENEW,
        };
        // The queue has nothing to do with it.
        let form = Form {
            narrow: true,
            again: false,
        };
        let mut cmd = self.call(renew, &ticket.key, form);
        cmd.arg(ticket.token.as_bytes()).arg(millis(self.options.lease));
        self.ask(&ticket.key, &cmd, Again::Harmless).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]
mod tests {
    use sessile_core::{OsEntropy, SessionId};
    use sessile_testkit::redis::RedisServer;

    use super::*;
    use crate::engine::Options;

    /// As when the server's clock was set forward since it was last heard of.
    #[tokio::test]
    async fn a_server_whose_clock_has_jumped_is_asked_once_more() {
        const HOUR: u64 = 3_600_000;
        let server = RedisServer::start();
        let options = Options::default();
        let connected = Engine::connect(server.url().into(), "test:".into(), options, Kind::Locks).await;
        let engine = connected.unwrap();
        let key = SessionId::generate(&OsEntropy).key();
        // The first time the server gets to know the script.
        for (behind, questions) in [(0, 2), (0, 1), (HOUR, 2), (0, 1)] {
            let now = engine.clock.now().as_millis();
            engine.clock.learn(Timestamp::from_millis(now - behind));
            let asked = || server.calls("evalsha") + server.calls("eval");
            let before = asked();
            let (mut lock, _) = engine.lock(&key, Duration::ZERO).await.unwrap().found().unwrap();
            assert_eq!(asked() - before, questions);
            engine.release(&lock.ticket()).await.unwrap();
            lock.spend();
        }
    }
}
