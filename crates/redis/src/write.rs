//! Writing, and seeing to it that what was written gets as far as is asked for.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{Cmd, Value};
use sessile_core::SessionKey;

use crate::answer::Answer;
use crate::durable::{Durability, ReplicationShortfall, Shortfall};
use crate::engine::Engine;
use crate::error::Failure;
use crate::net::Again;

/// The kind of a write, as far as durability is concerned.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Write<'a> {
    /// It ends a key, for good: to lose it would bring back what was logged out.
    Ends,
    /// It is one of several steps to such an end. That it falls short is no reason not to take the others: the first
    /// shortfall is kept here.
    Step(&'a OnceLock<ReplicationShortfall>),
    /// It changes data.
    Changes,
}

impl Engine {
    /// Calls a script that writes something new, where nothing tells later whether it has been there before and has ended.
    /// So it is told until when it is wanted, as a question for a lock is, and is not sent again.
    pub(crate) async fn write_in_time(
        &self,
        key: &SessionKey,
        write: Write<'_>,
        build: impl Fn(u64) -> Cmd,
    ) -> Result<Answer, Failure> {
        // A write that waits for replicas may have to let others pass first.
        let longer = self
            .durability(write)
            .map_or(Duration::ZERO, |durability| durability.timeout * 2);
        for _ in 0..2 {
            let latest = self.latest() + longer;
            match self
                .ask_to_write(key, &build(latest.as_millis()), write, Again::Never)
                .await?
            {
                Answer::Late => {}
                answer => return Ok(answer),
            }
        }
        Err(Failure::Timeout)
    }

    /// Calls a script that writes.
    pub(crate) async fn ask_to_write(
        &self,
        key: &SessionKey,
        cmd: &Cmd,
        write: Write<'_>,
        again: Again,
    ) -> Result<Answer, Failure> {
        let (answer, shortfall) = self.send_to_write(key, cmd, write, again).await?;
        let (answer, now) = Answer::read(answer)?;
        self.learn(now);
        let found_the_end = match write {
            Write::Step(_) => matches!(answer, Answer::Missing | Answer::Superseded | Answer::Alias { .. }),
            Write::Ends | Write::Changes => false,
        };
        // With any other answer, it has refused to write.
        if found_the_end || matches!(answer, Answer::Done(_)) {
            self.fall_short(shortfall, write)?;
        }
        Ok(answer)
    }

    /// Sends a command, and returns by how much it has fallen short, if replicas are asked.
    pub(crate) async fn send_to_write(
        &self,
        key: &SessionKey,
        cmd: &Cmd,
        write: Write<'_>,
        again: Again,
    ) -> Result<(Value, Option<ReplicationShortfall>), Failure> {
        let Some(durability) = self.durability(write) else {
            return Ok((self.net.send(key.shard(), cmd, again).await?, None));
        };
        let (answer, reached) = self.net.send_durably(key.shard(), cmd, again, durability).await?;
        let wanted = durability.replicas;
        let shortfall = (reached < wanted).then_some(ReplicationShortfall { wanted, reached });
        Ok((answer, shortfall))
    }

    /// Returns how durable this write has to be.
    fn durability(&self, write: Write<'_>) -> Option<&Durability> {
        let durability = self.options.durability.as_ref();
        durability.filter(|durability| durability.commits || !matches!(write, Write::Changes))
    }

    /// Does what is to be done about a shortfall, if there is one.
    pub(crate) fn fall_short(&self, shortfall: Option<ReplicationShortfall>, write: Write<'_>) -> Result<(), Failure> {
        let (Some(shortfall), Some(durability)) = (shortfall, &self.options.durability) else {
            return Ok(());
        };
        let fails = durability.shortfall == Shortfall::Fail;
        let is_first = match write {
            Write::Step(first) if fails => first.set(shortfall).is_ok(),
            _ => true,
        };
        if is_first {
            self.shortfalls.fetch_add(1, Ordering::Relaxed);
        }
        match write {
            Write::Ends | Write::Changes if fails => Err(Failure::Shortfall(shortfall)),
            _ => Ok(()),
        }
    }
}
