//! Writes, and the replicas that they have to reach.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{Cmd, Value};
use sessile_core::SessionKey;

use crate::client::Client;
use crate::durability::{Durability, ReplicationShortfall, Shortfall};
use crate::error::Failure;
use crate::net::Idempotency;
use crate::reply::Reply;

/// The kind of a write, which decides how durable it has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum WriteKind<'a> {
    /// Ends a key for good: losing the write would restore a session that was logged out.
    Terminal,
    /// One of several steps to such an end. A shortfall does not prevent the other steps; the first one is kept here.
    Step(&'a OnceLock<ReplicationShortfall>),
    /// Changes data.
    Change,
}

impl Client {
    /// Calls a script that writes a new key. A later call cannot tell whether the key existed before and has ended, so
    /// the script is told until when the request is valid, like a request for a lock, and is not repeated.
    pub(crate) async fn eval_write_until(
        &self,
        key: &SessionKey,
        write: WriteKind<'_>,
        build: impl Fn(u64) -> Cmd,
    ) -> Result<Reply, Failure> {
        // A write that waits for replicas may have to wait for an earlier batch.
        let longer = self
            .durability(write)
            .map_or(Duration::ZERO, |durability| durability.timeout * 2);
        for _ in 0..2 {
            let valid_until = self.valid_until() + longer;
            match self
                .eval_write(key, &build(valid_until.as_millis()), write, Idempotency::NotIdempotent)
                .await?
            {
                Reply::Late => {}
                reply => return Ok(reply),
            }
        }
        Err(Failure::Timeout)
    }

    /// Calls a script that writes.
    pub(crate) async fn eval_write(
        &self,
        key: &SessionKey,
        cmd: &Cmd,
        write: WriteKind<'_>,
        idempotency: Idempotency,
    ) -> Result<Reply, Failure> {
        let (reply, shortfall) = self.send_write(key, cmd, write, idempotency).await?;
        let (reply, now) = Reply::read(reply)?;
        self.learn(now);
        let found_the_end = matches!(write, WriteKind::Step(_))
            && matches!(reply, Reply::Missing | Reply::Superseded | Reply::Alias { .. });
        // With any other reply, the script has refused to write.
        if found_the_end || matches!(reply, Reply::Done(_)) {
            self.record_shortfall(shortfall, write)?;
        }
        Ok(reply)
    }

    /// Sends a command, and returns its shortfall if it has to reach replicas.
    pub(crate) async fn send_write(
        &self,
        key: &SessionKey,
        cmd: &Cmd,
        write: WriteKind<'_>,
        idempotency: Idempotency,
    ) -> Result<(Value, Option<ReplicationShortfall>), Failure> {
        let durability = self.durability(write);
        let (reply, reached) = self.router.route(key.shard(), cmd, idempotency, durability).await?;
        let wanted = durability.map_or(0, |durability| durability.replicas);
        let shortfall = (reached < wanted).then_some(ReplicationShortfall { wanted, reached });
        Ok((reply, shortfall))
    }

    /// Returns the requirements for this kind of write.
    fn durability(&self, write: WriteKind<'_>) -> Option<&Durability> {
        let durability = self.options.durability.as_ref();
        durability.filter(|durability| durability.commits || !matches!(write, WriteKind::Change))
    }

    /// Counts a shortfall, and fails if it has to.
    pub(crate) fn record_shortfall(
        &self,
        shortfall: Option<ReplicationShortfall>,
        write: WriteKind<'_>,
    ) -> Result<(), Failure> {
        let (Some(shortfall), Some(durability)) = (shortfall, &self.options.durability) else {
            return Ok(());
        };
        let fails = durability.shortfall == Shortfall::Fail;
        let is_first = match write {
            WriteKind::Step(first) if fails => first.set(shortfall).is_ok(),
            _ => true,
        };
        if is_first {
            self.shortfalls.fetch_add(1, Ordering::Relaxed);
        }
        match write {
            WriteKind::Terminal | WriteKind::Change if fails => Err(Failure::Shortfall(shortfall)),
            _ => Ok(()),
        }
    }
}
