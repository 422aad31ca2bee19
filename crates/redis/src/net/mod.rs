//! The way to the servers: which one to ask, what may be asked again, and when to give up.

mod dialer;
mod line;
mod node;

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, ServerErrorKind, Value};
use tokio::time::Instant;

pub(crate) use self::dialer::Dialer;
pub(crate) use self::line::{Line, OnPush};
pub(crate) use self::node::Node;
use crate::error::Failure;
use crate::script::Script;

/// Whether a command may be sent again when nobody knows what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// To do it twice is to do it once.
    Harmless,
    /// A second time would answer differently: the caller has to be told that the outcome is open.
    Never,
}

/// The servers.
#[derive(Debug)]
pub(crate) struct Net {
    timeout: Duration,
    node: Arc<Node>,
}

impl Net {
    pub(crate) fn new(timeout: Duration, node: Arc<Node>) -> Self {
        Self { timeout, node }
    }

    /// Sends a command to the server that keeps this shard, and returns its answer.
    ///
    /// Takes no longer than the configured time. A command that a server has refused without acting on it is sent
    /// again where that can help; one whose outcome is unknown only if that is harmless.
    pub(crate) async fn send(&self, _shard: &str, cmd: &Cmd, again: Again) -> Result<Value, Failure> {
        let deadline = Instant::now() + self.timeout;
        let mut retried = false;
        let mut spelled_out = None;
        loop {
            let cmd = spelled_out.as_ref().unwrap_or(cmd);
            match self.node.line.send(cmd, deadline).await {
                Err(Failure::Refused(error))
                    if error.kind() == Some(ServerErrorKind::NoScript) && spelled_out.is_none() =>
                {
                    spelled_out = Some(Script::spelled_out(cmd).ok_or(Failure::Refused(error))?);
                }
                Err(Failure::Broken(_)) if again == Again::Harmless && !retried => retried = true,
                outcome => return outcome,
            }
        }
    }

    /// The shard that the channels of messages for this shard are in; `None` if one channel will do for all.
    pub(crate) fn channel_shard<'a>(&self, _shard: &'a str) -> Option<&'a str> {
        None
    }

    /// Makes sure that messages about this shard arrive on this channel.
    pub(crate) async fn listen(&self, _shard: &str, channel: &[u8]) -> Result<(), Failure> {
        self.node.ear.listen(channel, Instant::now() + self.timeout).await
    }

    /// Listens anew: a message about this shard did not arrive.
    pub(crate) fn distrust(&self, _shard: &str) {
        self.node.ear.distrust();
    }
}
