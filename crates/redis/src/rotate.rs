//! Moving a session to another key.

use std::sync::OnceLock;
use std::time::Duration;

use redis::{Cmd, Value};
use sessile_core::{LockTicket, SessionKey, Timestamp};

use crate::again::Form;
use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::Failure;
use crate::keys::Keyspace;
use crate::layout;
use crate::net::Again;
use crate::script;
use crate::write::Write;

/// How long a record that is arriving may take to be settled, at least.
const SETTLING: Duration = Duration::from_secs(3_600);

/// A session on its way to another key.
#[derive(Clone, Copy)]
pub(crate) struct Move<'a> {
    pub(crate) ticket: &'a LockTicket,
    pub(crate) new_key: &'a SessionKey,
    pub(crate) value: &'a [u8],
    /// The last millisecond of its life, as the scripts take it.
    pub(crate) last: &'a str,
    pub(crate) grace: Duration,
}

impl Engine {
    /// Moves a session to a new key, in one step.
    ///
    /// That takes a server that has both keys. While a slot of a cluster is on its way, what is still at its old place
    /// cannot be with a new key, which is made at the new one.
    pub(crate) async fn rotate(&self, order: Move<'_>) -> Result<Answer, Failure> {
        let rotated = self.run_once(&order.ticket.key, Write::Ends, |form| self.rotating(order, form, false));
        match rotated.await? {
            Answer::Apart => Box::pin(self.rotate_apart(order)).await,
            answer => Ok(answer),
        }
    }

    /// Moves a session whose keys are at different places: brings it to the new one, where it does not count yet, leaves
    /// the mark at the old one, and settles it. The mark is the step by which it moves. Whoever follows it finds what is
    /// arriving, and settles it as well, so nothing hangs on this future; if it is dropped before the mark is there, what
    /// has arrived is worth nothing and ends by itself.
    async fn rotate_apart(&self, order: Move<'_>) -> Result<Answer, Failure> {
        let (from, shortfall) = (&order.ticket.key, OnceLock::new());
        let arriving = layout::encode_arriving(from.digest(), order.value);
        let stays = SETTLING.max(order.grace.saturating_add(self.options.tombstone));
        let arrive = |latest: u64| {
            let mut arrive = script::ARRIVE.call(1);
            arrive.arg(self.keys.record(order.new_key));
            arrive.arg(&arriving).arg(grace_millis(stays)).arg(latest);
            arrive
        };
        let step = Write::Step(&shortfall);
        let arrived = self.write_in_time(order.new_key, step, arrive);
        let answer = match arrived.await? {
            Answer::Done(_) => {
                self.run_once(from, step, |form| self.rotating(order, form, true))
                    .await?
            }
            answer => return Ok(answer),
        };
        let moved = matches!(answer, Answer::Done(_));
        let settled = self.settle_as(order.new_key, from.digest(), moved, step).await;
        if moved {
            settled?;
        }
        match shortfall.into_inner() {
            Some(shortfall) if moved => Err(Failure::Shortfall(shortfall)),
            _ => Ok(answer),
        }
    }

    fn rotating(&self, order: Move<'_>, form: Form, arrives: bool) -> Cmd {
        let Move { ticket, new_key, .. } = order;
        let (new, names) = (self.keys.record(new_key), self.keys.names(&ticket.key));
        let narrow = form.narrow || arrives;
        let mut cmd = script::ROTATE.call(if narrow { 1 } else { 3 });
        cmd.arg(names.record());
        if !narrow {
            cmd.arg(names.queue()).arg(&new);
        }
        let value = if arrives { &[] } else { order.value };
        cmd.arg(ticket.token.as_bytes())
            .arg(value)
            .arg(order.last)
            .arg(form.again());
        cmd.arg(grace_millis(order.grace))
            .arg(grace_millis(self.options.tombstone));
        cmd.arg(new_key.digest()).arg(&new).arg(if arrives { "1" } else { "" });
        cmd
    }

    /// Settles a record that is arriving from the key with this digest, if the session has moved. Returns whether it has.
    pub(crate) async fn settle(&self, key: &SessionKey, from: &[u8]) -> Result<bool, Failure> {
        let old = Keyspace::key(key.shard(), from).ok_or(Failure::Nonsense)?;
        let mut get = redis::cmd("GET");
        get.arg(self.keys.record(&old));
        let moved = match self.net.send(key.shard(), &get, Again::Harmless).await? {
            Value::BulkString(mark) => layout::decode_mark(&mark) == Some(key.digest()),
            _ => false,
        };
        if moved {
            self.settle_as(key, old.digest(), true, Write::Changes).await?;
        }
        Ok(moved)
    }

    async fn settle_as(
        &self,
        key: &SessionKey,
        from: &[u8; 32],
        moved: bool,
        write: Write<'_>,
    ) -> Result<Answer, Failure> {
        let mut cmd = script::SETTLE.call(1);
        cmd.arg(self.keys.record(key))
            .arg(from)
            .arg(if moved { "1" } else { "" });
        self.ask_to_write(key, &cmd, write, Again::Harmless).await
    }
}

/// A duration that may be none at all.
fn grace_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .min(Timestamp::MAX.as_millis())
}
