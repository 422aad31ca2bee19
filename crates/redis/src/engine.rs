//! [`Engine`]: the verbs, told to the server.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};
use sessile_core::{
    Lock, LockTicket, LockToken, OsEntropy, SessionKey, StorageError, StorageErrorKind, Timestamp, Unlock,
};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::answer::Answer;
use crate::clock::ServerClock;
use crate::error::{Failure, NAME};
use crate::keys::{Keyspace, Names};
use crate::net::{Again, Net};
use crate::script;

/// How many aliases may stand one behind the other. Each is a rotation within the grace of the one before.
const MAX_HOPS: usize = 16;

/// What can be set, apart from the way to the servers.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) lease: Duration,
    pub(crate) max_waiters: usize,
    pub(crate) tombstone: Duration,
}

/// What storage and locks have in common.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) net: Net,
    pub(crate) keys: Keyspace,
    pub(crate) clock: ServerClock,
    pub(crate) options: Options,
    /// Where the background work of dropped locks is done, wherever they are dropped.
    pub(crate) runtime: Handle,
}

impl Engine {
    /// Makes sure that there is a server, and asks it for the time.
    pub(crate) async fn greet(&self) -> Result<(), Failure> {
        let Value::Array(time) = self.plain(&redis::cmd("TIME"), Again::Harmless).await? else {
            return Err(Failure::Nonsense);
        };
        let int = |index: usize| match time.get(index) {
            Some(Value::BulkString(text)) => std::str::from_utf8(text).ok()?.parse::<u64>().ok(),
            _ => None,
        };
        let (seconds, micros) = int(0).zip(int(1)).ok_or(Failure::Nonsense)?;
        self.clock
            .learn(Timestamp::from_millis(seconds * 1_000 + micros / 1_000));
        Ok(())
    }

    /// Sends a command and reads its answer as that of a script.
    pub(crate) async fn ask(&self, cmd: &Cmd, again: Again) -> Result<Answer, Failure> {
        let (answer, now) = Answer::read(self.net.send(cmd, again).await?)?;
        self.clock.learn(now);
        Ok(answer)
    }

    /// Calls `step` for a key and, if an alias stands there, for the key it points to.
    ///
    /// Returns the last answer and the key it is about. The answer is never an alias: one whose grace is over counts
    /// as a tombstone, if the session it points to still exists.
    pub(crate) async fn follow<F>(
        &self,
        key: &SessionKey,
        mut step: impl FnMut(SessionKey) -> F,
    ) -> Result<(SessionKey, Answer), Failure>
    where
        F: Future<Output = Result<Answer, Failure>>,
    {
        let (mut key, mut superseded) = (*key, false);
        for _ in 0..MAX_HOPS {
            let answer = if superseded {
                self.look(&key).await?
            } else {
                step(key).await?
            };
            match answer {
                Answer::Alias { target, holds } => {
                    key = Keyspace::key(key.shard(), &target).ok_or(Failure::Nonsense)?;
                    superseded |= !holds;
                }
                Answer::Missing => return Ok((key, Answer::Missing)),
                _ if superseded => return Ok((key, Answer::Superseded)),
                answer => return Ok((key, answer)),
            }
        }
        Err(Failure::Nonsense)
    }

    /// The record under exactly this key, or what stands in its place.
    pub(crate) async fn look(&self, key: &SessionKey) -> Result<Answer, Failure> {
        let mut cmd = script::LOOK.call(1);
        cmd.arg(self.keys.record(key));
        self.ask(&cmd, Again::Harmless).await
    }

    /// What has become of the key of a lock: the answer to a verb that found no record there.
    pub(crate) async fn why_not(&self, answer: Answer, key: &SessionKey) -> Result<StorageErrorKind, Failure> {
        let answer = match answer {
            Answer::Alias { .. } => self.follow(key, |key| async move { self.look(&key).await }).await?.1,
            answer => answer,
        };
        match answer {
            Answer::Missing => Ok(StorageErrorKind::Gone),
            // Found, at the end of an alias: the session lives under another key than the lock's.
            Answer::Superseded | Answer::Done(_) => Ok(StorageErrorKind::Superseded),
            Answer::Lost => Ok(StorageErrorKind::LockLost),
            Answer::Exists => Ok(StorageErrorKind::Exists),
            Answer::Alias { .. } | Answer::Busy(_) => Err(Failure::Nonsense),
        }
    }

    /// Asks for the lock once.
    pub(crate) async fn try_lock(&self, names: &Names, token: &LockToken) -> Result<Answer, Failure> {
        let mut cmd = script::LOCK.call(3);
        cmd.arg(&names.record).arg(&names.lock).arg(&names.queue);
        cmd.arg(token.as_bytes()).arg(millis(self.options.lease)).arg("").arg(0);
        self.ask(&cmd, Again::Harmless).await
    }

    /// Waits for the lock.
    pub(crate) async fn lock(
        self: &Arc<Self>,
        key: &SessionKey,
        wait: Duration,
    ) -> Result<(SessionKey, Option<Lock>, Answer), StorageError> {
        let until = Instant::now() + wait;
        loop {
            let token = LockToken::generate(&OsEntropy);
            let (key, answer) = self
                .follow(key, |key| {
                    let names = self.keys.names(&key);
                    async move { self.try_lock(&names, &token).await }
                })
                .await
                .map_err(|failure| failure.into_error("lock"))?;
            match answer {
                Answer::Busy(pause) => {
                    if Instant::now() >= until {
                        return Err(StorageError::new(StorageErrorKind::LockTimeout, "lock", NAME));
                    }
                    let pause = pause.clamp(Duration::from_millis(1), Duration::from_millis(50));
                    tokio::time::sleep_until(until.min(Instant::now() + pause)).await;
                }
                Answer::Done(_) => {
                    let unlock = Arc::new(Unlocker(Arc::clone(self)));
                    let lock = Lock::new(LockTicket { key, token }, self.options.lease, unlock);
                    return Ok((key, Some(lock), answer));
                }
                answer => return Ok((key, None, answer)),
            }
        }
    }

    /// Gives a lock up.
    pub(crate) async fn release(&self, ticket: &LockTicket) -> Result<(), Failure> {
        let names = self.keys.names(&ticket.key);
        let mut cmd = script::RELEASE.call(3);
        cmd.arg(&names.record)
            .arg(&names.lock)
            .arg(&names.queue)
            .arg(ticket.token.as_bytes())
            .arg("");
        self.ask(&cmd, Again::Harmless).await.map(drop)
    }

    /// What became of a command that answers with a plain value.
    pub(crate) async fn plain(&self, cmd: &Cmd, again: Again) -> Result<Value, Failure> {
        self.net.send(cmd, again).await
    }
}

/// Releases, in the background, locks that were dropped.
#[derive(Debug)]
struct Unlocker(Arc<Engine>);

impl Unlock for Unlocker {
    fn unlock(&self, ticket: LockTicket) {
        let engine = Arc::clone(&self.0);
        self.0.runtime.spawn(async move {
            // If it does not succeed, the lease ends the lock.
            let _ = engine.release(&ticket).await;
        });
    }
}

/// As Redis takes durations.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}
