//! Moving a session to another key.

use std::sync::OnceLock;
use std::time::Duration;

use redis::{Cmd, Value};
use sessile_core::{LockId, SessionKey, Timestamp};

use crate::call::CallForm;
use crate::client::Client;
use crate::codec;
use crate::error::Failure;
use crate::keys::Keyspace;
use crate::net::Idempotency;
use crate::reply::Reply;
use crate::script;
use crate::write::WriteKind;

/// The shortest time for which an arriving record may remain unsettled.
const SETTLING: Duration = Duration::from_secs(3_600);

/// The move of a session to another key.
#[derive(Clone, Copy)]
pub(crate) struct Rotation<'a> {
    pub(crate) lock_id: &'a LockId,
    pub(crate) new_key: &'a SessionKey,
    pub(crate) value: &'a [u8],
    /// The last millisecond of the record's life, as the scripts take it.
    pub(crate) last: &'a str,
    pub(crate) grace: Duration,
}

impl Client {
    /// Moves a session to a new key, in one step.
    ///
    /// One node has to have both keys. While a slot of a cluster migrates, a key that is still on the old
    /// node cannot be there together with a new key, which has to be created on the importing node.
    pub(crate) async fn rotate(&self, rotation: Rotation<'_>) -> Result<Reply, Failure> {
        let rotated = self.run_once(&rotation.lock_id.key, WriteKind::Terminal, |form| {
            self.rotating(rotation, form, false)
        });
        match rotated.await? {
            Reply::SplitSlot => Box::pin(self.rotate_across_nodes(rotation)).await,
            reply => Ok(reply),
        }
    }

    /// Moves a session whose keys are on different nodes.
    ///
    /// Stores the record at the new key, where it does not count yet, leaves a tombstone or alias at the old key, and
    /// settles the new record. Writing the tombstone or alias is the step by which the session moves. A reader that
    /// follows it finds the arriving record and settles it as well, so the move does not depend on this future. If the
    /// future is dropped before that step, the arriving record never counts, and expires.
    async fn rotate_across_nodes(&self, rotation: Rotation<'_>) -> Result<Reply, Failure> {
        let (from, shortfall) = (&rotation.lock_id.key, OnceLock::new());
        let arriving = codec::encode_arriving(from.digest(), rotation.value);
        let stays = SETTLING.max(rotation.grace.saturating_add(self.options.tombstone_ttl));
        let arrive = |valid_until: u64| {
            let mut arrive = script::ARRIVE.call(1);
            arrive.arg(self.keys.record(rotation.new_key));
            arrive.arg(&arriving).arg(grace_millis(stays)).arg(valid_until);
            arrive
        };
        let step = WriteKind::Step(&shortfall);
        let arrived = self.eval_write_until(rotation.new_key, step, arrive);
        let reply = match arrived.await? {
            Reply::Done(_) => {
                self.run_once(from, step, |form| self.rotating(rotation, form, true))
                    .await?
            }
            reply => return Ok(reply),
        };
        let moved = matches!(reply, Reply::Done(_));
        let settled = self.settle_as(rotation.new_key, from.digest(), moved, step).await;
        if moved {
            settled?;
        }
        match shortfall.into_inner() {
            Some(shortfall) if moved => Err(Failure::Shortfall(shortfall)),
            _ => Ok(reply),
        }
    }

    fn rotating(&self, rotation: Rotation<'_>, form: CallForm, arrives: bool) -> Cmd {
        let Rotation { lock_id, new_key, .. } = rotation;
        let (new, names) = (self.keys.record(new_key), self.keys.names(&lock_id.key));
        let record_only = form.record_only || arrives;
        let mut cmd = script::ROTATE.call(if record_only { 1 } else { 3 });
        cmd.arg(names.record());
        if !record_only {
            cmd.arg(&names.queue).arg(&new);
        }
        let value = if arrives { &[] } else { rotation.value };
        cmd.arg(lock_id.token.as_bytes())
            .arg(value)
            .arg(rotation.last)
            .arg(form.retry_arg());
        cmd.arg(grace_millis(rotation.grace))
            .arg(grace_millis(self.options.tombstone_ttl));
        cmd.arg(new_key.digest()).arg(&new).arg(if arrives { "1" } else { "" });
        cmd
    }

    /// Settles a record that is arriving from the key with this digest, if the session has moved. Returns whether it
    /// has.
    pub(crate) async fn settle(&self, key: &SessionKey, from: &[u8]) -> Result<bool, Failure> {
        let old = Keyspace::key(key.shard(), from).ok_or(Failure::UnexpectedReply)?;
        let moved = match self.get(&old, &self.keys.record(&old)).await? {
            Value::BulkString(value) => codec::decode_moved(&value) == Some(key.digest()),
            _ => false,
        };
        if moved {
            self.settle_as(key, old.digest(), true, WriteKind::Change).await?;
        }
        Ok(moved)
    }

    async fn settle_as(
        &self,
        key: &SessionKey,
        from: &[u8; 32],
        moved: bool,
        write: WriteKind<'_>,
    ) -> Result<Reply, Failure> {
        let mut cmd = script::SETTLE.call(1);
        cmd.arg(self.keys.record(key))
            .arg(from)
            .arg(if moved { "1" } else { "" });
        self.eval_write(key, &cmd, write, Idempotency::Idempotent).await
    }
}

/// Converts a duration that may be zero to milliseconds.
fn grace_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .min(Timestamp::MAX.as_millis())
}
