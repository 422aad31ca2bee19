//! Replacing a record that is still as it was read, without a lock.

use redis::Value;
use sessile_core::{LockToken, OsEntropy, Record, SessionKey, Stored};

use crate::answer::Answer;
use crate::conditions::is_unknown;
use crate::engine::Engine;
use crate::error::Failure;
use crate::layout;
use crate::net::Again;
use crate::script;
use crate::write::Write;

/// The longest payload that is sent to be compared. A longer one takes longer on its way than the script that can do
/// without it.
const COMPARED: usize = 4_096;

/// A record on its way to the place of another.
struct Change<'a> {
    key: &'a SessionKey,
    /// The record as it stands on the server if it is the one that was read, and nobody has locked it.
    known: Vec<u8>,
    /// How long the header is of that: all that is compared by the script.
    header: usize,
    value: Vec<u8>,
    last: String,
}

impl Engine {
    /// Replaces a record if it is still the one that was read and nobody holds its lock.
    ///
    /// Where the server can compare by itself, that is one plain command. It says no more than that the value is
    /// another, which may be so because of a lock that is over, so then the script is asked. For other servers it always
    /// is.
    ///
    /// Each call writes with a token of its own. When the connection breaks before the answer has come, the script is
    /// called: what it finds written with this token is done. What it finds as it was read has not been, and is written
    /// now; this was refused if the first comes after it. With anything else the outcome is open.
    pub(crate) async fn replace(&self, known: &Stored, record: &Record) -> Result<Answer, Failure> {
        let stamp = layout::stamp(&LockToken::generate(&OsEntropy));
        let stands = layout::encode_as(&known.record, known.stamp);
        let change = &Change {
            key: &known.key,
            header: stands.len() - known.record.payload.len(),
            known: stands,
            value: layout::encode_as(record, layout::marked_like(stamp, known.stamp)),
            last: layout::last(record),
        };
        let first = async {
            let is_short = known.record.payload.len() <= COMPARED;
            // The time comes with the answers of scripts only.
            if is_short && !self.clock.is_stale() && self.conditions.may_be_set(&self.net, known.key.shard()) {
                match Box::pin(self.set_if_equal(change)).await {
                    Ok(true) => return Ok(Answer::Done(None)),
                    Ok(false) => {}
                    Err(failure) if is_unknown(&failure) => {
                        self.conditions.were_refused(&self.net, known.key.shard());
                    }
                    Err(failure) => return Err(failure),
                }
            }
            self.replace_by_script(change, "").await
        };
        self.twice(first, || self.replace_by_script(change, "1")).await
    }

    /// Lets the server compare the whole value, and returns whether it was replaced.
    async fn set_if_equal(&self, change: &Change<'_>) -> Result<bool, Failure> {
        let mut cmd = redis::Cmd::with_capacity(7, 200 + change.known.len() + change.value.len());
        cmd.arg("SET").arg(self.keys.record(change.key)).arg(&change.value);
        cmd.arg("IFEQ").arg(&change.known);
        if !change.last.is_empty() {
            cmd.arg("PXAT").arg(&change.last);
        }
        let sent = self.send_to_write(change.key, &cmd, Write::Changes, Again::Never);
        match sent.await? {
            (Value::Okay, shortfall) => self.fall_short(shortfall, Write::Changes).map(|()| true),
            (Value::Nil, _) => Ok(false),
            _ => Err(Failure::Nonsense),
        }
    }

    async fn replace_by_script(&self, change: &Change<'_>, again: &str) -> Result<Answer, Failure> {
        let mut cmd = script::REPLACE.call(1);
        cmd.arg(self.keys.record(change.key));
        cmd.arg(&change.known[..change.header]);
        cmd.arg(&change.value).arg(&change.last).arg(again);
        if self.clock.is_stale() {
            cmd.arg("1");
        }
        self.ask_to_write(change.key, &cmd, Write::Changes, Again::Never).await
    }
}
