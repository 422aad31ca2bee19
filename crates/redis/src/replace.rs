//! Replacing a record without a lock, if it is still the record that was read.

use redis::Value;
use sessile_core::{LockToken, OsEntropy, Record, SessionKey, Stored};

use crate::client::Client;
use crate::codec;
use crate::conditional_set::is_unknown_option;
use crate::error::Failure;
use crate::net::Idempotency;
use crate::reply::Reply;
use crate::script;
use crate::write::WriteKind;

/// The longest payload that is sent for comparison. Sending a longer one takes longer than the script, which compares
/// only the header.
const MAX_COMPARED: usize = 4_096;

/// A record that is about to replace another.
struct Replacement<'a> {
    key: &'a SessionKey,
    /// The value on the server if the record is the one that was read and no lock is held.
    known: Vec<u8>,
    /// The length of its header, which is all that the script compares.
    header: usize,
    value: Vec<u8>,
    last: String,
}

impl Client {
    /// Replaces a record if it is still the one that was read and its lock is free.
    ///
    /// If the server supports conditional `SET`, this is one plain command. Its refusal says only that the value
    /// differs, which may be due to a lock whose lease is over, so the script is called then. With other servers it
    /// always is.
    ///
    /// Each call writes with a token of its own. If the connection breaks before the reply has arrived, the script is
    /// called. A record with this token proves that the first call was executed. A record as it was read proves that it
    /// was not: the script writes it now, and the first call is refused if it arrives later. In any other case the
    /// outcome is ambiguous.
    pub(crate) async fn replace(&self, known: &Stored, record: &Record) -> Result<Reply, Failure> {
        let stamp = codec::stamp(&LockToken::generate(&OsEntropy));
        let expected = codec::encode_as(&known.record, known.stamp);
        let replacement = &Replacement {
            key: &known.key,
            header: expected.len() - known.record.payload.len(),
            known: expected,
            value: codec::encode_as(record, codec::with_waiters_mark_of(stamp, known.stamp)),
            last: codec::expiry_arg(record),
        };
        let first = async {
            let is_short = known.record.payload.len() <= MAX_COMPARED;
            // Only the replies of scripts carry the time.
            if is_short && !self.clock.is_stale() && self.conditional_set.is_supported(&self.router, known.key.shard())
            {
                match Box::pin(self.set_if_equal(replacement)).await {
                    Ok(true) => return Ok(Reply::Done(None)),
                    Ok(false) => {}
                    Err(failure) if is_unknown_option(&failure) => {
                        self.conditional_set.mark_unsupported(&self.router, known.key.shard());
                    }
                    Err(failure) => return Err(failure),
                }
            }
            self.replace_by_script(replacement, "").await
        };
        self.twice(first, || self.replace_by_script(replacement, "1")).await
    }

    /// Lets the server compare the whole value, and returns whether it was replaced.
    async fn set_if_equal(&self, replacement: &Replacement<'_>) -> Result<bool, Failure> {
        let mut cmd = redis::Cmd::with_capacity(7, 200 + replacement.known.len() + replacement.value.len());
        cmd.arg("SET")
            .arg(self.keys.record(replacement.key))
            .arg(&replacement.value);
        cmd.arg("IFEQ").arg(&replacement.known);
        if !replacement.last.is_empty() {
            cmd.arg("PXAT").arg(&replacement.last);
        }
        let sent = self.send_write(replacement.key, &cmd, WriteKind::Change, Idempotency::NotIdempotent);
        match sent.await? {
            (Value::Okay, shortfall) => self.record_shortfall(shortfall, WriteKind::Change).map(|()| true),
            (Value::Nil, _) => Ok(false),
            _ => Err(Failure::UnexpectedReply),
        }
    }

    async fn replace_by_script(&self, replacement: &Replacement<'_>, is_retry: &str) -> Result<Reply, Failure> {
        let mut cmd = script::REPLACE.call(1);
        cmd.arg(self.keys.record(replacement.key));
        cmd.arg(&replacement.known[..replacement.header]);
        cmd.arg(&replacement.value).arg(&replacement.last).arg(is_retry);
        if self.clock.is_stale() {
            cmd.arg("1");
        }
        self.eval_write(replacement.key, &cmd, WriteKind::Change, Idempotency::NotIdempotent)
            .await
    }
}
