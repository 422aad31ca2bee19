//! Moving a session to another key.

use std::time::Duration;

use redis::ErrorKind;
use sessile_core::{LockTicket, SessionKey, Timestamp};
use tokio::time::Instant;

use crate::answer::Answer;
use crate::engine::{Engine, Write};
use crate::error::Failure;
use crate::script;

/// How long to wait, the first time, when the keys of a move are at different places.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

impl Engine {
    /// Moves a session to a new key, with this value and this last millisecond.
    ///
    /// It is one step, so it takes one server that has both keys. While a slot of a cluster is on its way, a key that is
    /// still at its old place cannot move to a new one: that is waited for, as long as a call may take.
    pub(crate) async fn rotate(
        &self,
        ticket: &LockTicket,
        new_key: &SessionKey,
        value: &[u8],
        last: &str,
        grace: Duration,
    ) -> Result<Answer, Failure> {
        let LockTicket { key, token, .. } = ticket;
        let (deadline, mut pause) = (self.net.deadline(), FIRST_PAUSE);
        loop {
            let rotated = self.run_once(key, Write::Ends, |form| {
                let new = self.keys.record(new_key);
                let names = self.keys.names(key);
                let mut cmd = script::ROTATE.call(if form.narrow { 1 } else { 3 });
                cmd.arg(names.record());
                if !form.narrow {
                    cmd.arg(names.queue()).arg(&new);
                }
                cmd.arg(token.as_bytes()).arg(value).arg(last).arg(form.again());
                cmd.arg(grace_millis(grace))
                    .arg(grace_millis(self.options.tombstone))
                    .arg(new_key.digest())
                    .arg(&new);
                cmd
            });
            match rotated.await? {
                Answer::Apart if Instant::now() + pause < deadline => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(FIRST_PAUSE * 16);
                }
                Answer::Apart => {
                    let what = "the slot of this session is on its way to another node";
                    return Err(Failure::Unreachable(
                        (ErrorKind::ClusterConnectionNotFound, what).into(),
                    ));
                }
                answer => return Ok(answer),
            }
        }
    }
}

/// A duration that may be none at all.
fn grace_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .min(Timestamp::MAX.as_millis())
}
