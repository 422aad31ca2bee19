//! Sending a command until it has arrived at the right server, or there is no use in trying.

use std::sync::Arc;
use std::time::Duration;

use redis::{Arg, Cmd, Value};
use tokio::time::Instant;

use super::remedy::Remedy;
use super::{Again, Fleet, Net, Node, in_time, slot};
use crate::durable::Durability;
use crate::error::Failure;
use crate::script::Script;

/// How many times one command is sent somewhere else.
const MAX_REDIRECTS: u32 = 8;

/// How long to wait, the first time, where waiting can help. It is doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// How long to wait at most before asking again.
const LONGEST_PAUSE: Duration = Duration::from_millis(64);

impl Net {
    pub(super) async fn route(
        &self,
        shard: &str,
        cmd: &Cmd,
        again: Again,
        durability: Option<&Durability>,
    ) -> Result<(Value, u32), Failure> {
        let now = Instant::now();
        // What is durable may have to let another batch pass first.
        let deadline = now + self.timeout + durability.map_or(Duration::ZERO, |durability| durability.timeout * 2);
        let mut node = self.node(shard, deadline).await?;
        let (mut asking, mut spelled_out) = (false, None);
        let (mut redirects, mut second, mut pause) = (0, false, FIRST_PAUSE);
        // Why there was reason to try again.
        let mut refused = None;
        loop {
            let cmd = spelled_out.as_ref().unwrap_or(cmd);
            let sent = match durability {
                Some(durability) => Box::pin(node.lane.send(cmd, asking, durability, deadline)).await,
                None if asking => Box::pin(node.send_asking(cmd, deadline))
                    .await
                    .map(|answer| (answer, 0)),
                None => self.send_to(&node, cmd, now, deadline).await.map(|answer| (answer, 0)),
            };
            let failure = match sent {
                Ok(answer) => {
                    if node.is_doubted() {
                        node.doubt(false);
                    }
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            match self.remedy(&failure, &node, again) {
                Remedy::SpellOut if spelled_out.is_none() => {
                    spelled_out = Some(Script::spelled_out(cmd).ok_or(failure)?);
                    continue;
                }
                Remedy::Redirect(to, is_asking) if redirects < MAX_REDIRECTS => {
                    (node, asking) = (to, is_asking);
                    redirects += 1;
                    continue;
                }
                Remedy::Elsewhere | Remedy::ElsewhereThenWait if !second => (second, refused) = (true, Some(failure)),
                Remedy::Wait | Remedy::ElsewhereThenWait if Instant::now() + pause < deadline => {
                    refused = Some(failure);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                _ => {
                    return Err(match failure {
                        // Nobody was asked, so what was answered before is all there is to say.
                        Failure::Unreachable(_) => refused.unwrap_or(failure),
                        failure => failure,
                    });
                }
            }
            asking = false;
            node = self.node(shard, deadline).await?;
        }
    }

    /// Sends a command to a server, and lets it prove that it is the primary if it has not for a while.
    async fn send_to(&self, node: &Node, cmd: &Cmd, now: Instant, deadline: Instant) -> Result<Value, Failure> {
        if let Some(proof) = &self.proof {
            let now = self.since_epoch(now);
            if node.line.is_doubtful(now) && only_reads(cmd) {
                return Box::pin(node.send_with_proof(proof, cmd, now, deadline)).await;
            }
        }
        if let Fleet::Sentinel(_) = self.fleet {
            // Connected, it was the primary. Whether it will be when it is connected again has to be asked first.
            let Some(live) = node.line.current() else {
                return Err(not_connected());
            };
            return node.line.ask(live, cmd).await;
        }
        node.line.send(cmd, deadline).await
    }

    fn since_epoch(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX)
    }

    /// The server that keeps this shard, as far as is known.
    pub(super) async fn node(&self, shard: &str, deadline: Instant) -> Result<Arc<Node>, Failure> {
        match &self.fleet {
            Fleet::Single(node) => Ok(Arc::clone(node)),
            Fleet::Sentinel(sentinel) => match sentinel.known() {
                Some(node) => Ok(node),
                None => in_time(deadline, Box::pin(sentinel.primary(deadline))).await,
            },
            Fleet::Cluster(cluster) => {
                let slot = slot::slot(shard);
                match cluster.known(slot) {
                    Some(node) => Ok(node),
                    None => in_time(deadline, Box::pin(cluster.owner(slot, deadline))).await,
                }
            }
        }
    }

    /// Makes sure that messages about this shard arrive on this channel.
    pub(crate) async fn listen(&self, shard: &str, channel: &[u8]) -> Result<(), Failure> {
        let deadline = self.deadline();
        let listening = async {
            let mut node = self.node(shard, deadline).await?;
            for _ in 0..MAX_REDIRECTS {
                let failure = match node.ear.listen(channel, deadline).await {
                    Ok(()) => return Ok(()),
                    Err(failure) => failure,
                };
                match self.remedy(&failure, &node, Again::Harmless) {
                    Remedy::Redirect(to, false) => node = to,
                    _ => return Err(failure),
                }
            }
            Err(Failure::Nonsense)
        };
        in_time(deadline, listening).await
    }
}

/// Whether a server would do this without being the primary.
fn only_reads(cmd: &Cmd) -> bool {
    matches!(cmd.args_iter().next(), Some(Arg::Simple(b"GET")))
}

fn not_connected() -> Failure {
    Failure::Unreachable(std::io::Error::from(std::io::ErrorKind::NotConnected).into())
}
