//! Sending a command until it has arrived at the right server, or there is no use in trying.

use std::sync::Arc;
use std::time::Duration;

use redis::{Arg, Cmd, Value};
use tokio::time::Instant;

use super::remedy::Remedy;
use super::{Again, Fleet, Line, Net, Node, in_time, slot};
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
        // A durable command may have to let another batch pass first.
        let deadline = now + self.timeout + durability.map_or(Duration::ZERO, |durability| durability.timeout * 2);
        // Each connection watches the time by itself, from the moment a command is sent on it. What is sent first, and at
        // once, needs no timer of ours.
        let (mut node, mut timed) = match self.known(shard) {
            Some(node) => (node, false),
            None => (self.node(shard, deadline).await?, true),
        };
        let (mut asking, mut spelled_out) = (false, None);
        let (mut redirects, mut second, mut pause) = (0, false, FIRST_PAUSE);
        // A server that becomes the primary between a proof and what is sent behind it does the one and not the other. So
        // none goes with what may not be done twice.
        let proves = again == Again::Harmless && may_only_read(cmd);
        // Why there was reason to try again.
        let mut refused = None;
        loop {
            let cmd = spelled_out.as_ref().unwrap_or(cmd);
            let sent = match durability {
                Some(durability) => Box::pin(node.lane.send(cmd, asking, durability, deadline)).await,
                None if asking => Box::pin(node.send_asking(shard, cmd, deadline))
                    .await
                    .map(|answer| (answer, 0)),
                None if timed => Box::pin(self.send_in_time(node.line_of(shard), cmd, proves, (now, deadline)))
                    .await
                    .map(|answer| (answer, 0)),
                None => self
                    .send_to(node.line_of(shard), cmd, proves, (now, deadline))
                    .await
                    .map(|answer| (answer, 0)),
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
            timed = true;
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
                Remedy::Elsewhere | Remedy::ElsewhereThenWait if !second => {
                    second = true;
                    // That a connection broke says less than what keeps the next from being made.
                    refused = Some(failure).filter(|failure| matches!(failure, Failure::Refused(_)));
                }
                Remedy::Wait | Remedy::ElsewhereThenWait if Instant::now() + pause < deadline => {
                    refused = Some(failure);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                _ => {
                    return Err(match failure {
                        // Nobody was asked, so what was answered before is all there is to say.
                        Failure::Unreachable(_) => refused.unwrap_or(failure),
                        // So it is where it makes no difference whether the last question was heard.
                        Failure::Timeout if again == Again::Harmless => refused.unwrap_or(failure),
                        failure => failure,
                    });
                }
            }
            asking = false;
            node = self.node(shard, deadline).await?;
        }
    }

    /// Sends a command to a server, and lets it prove that it is the primary if it is to and has not for a while.
    async fn send_to(
        &self,
        line: &Arc<Line>,
        cmd: &Cmd,
        proves: bool,
        (now, deadline): (Instant, Instant),
    ) -> Result<Value, Failure> {
        if proves && let Some(proof) = &self.proof {
            let now = self.since_epoch(now);
            if line.is_doubtful(now) {
                return Box::pin(Node::send_with_proof(line, proof, cmd, now, deadline)).await;
            }
        }
        if let Fleet::Sentinel(_) = self.fleet {
            // Connected, it was the primary. Whether it will be when it is connected again has to be asked first.
            let Some(live) = line.current() else {
                return Err(not_connected());
            };
            return line.ask(live, cmd).await;
        }
        line.send(cmd, deadline).await
    }

    /// The same, and gives up when the time is over. What does not answer by then is put aside.
    async fn send_in_time(
        &self,
        line: &Arc<Line>,
        cmd: &Cmd,
        proves: bool,
        (now, deadline): (Instant, Instant),
    ) -> Result<Value, Failure> {
        let asked = line.current();
        let answer = in_time(deadline, self.send_to(line, cmd, proves, (now, deadline))).await;
        if let (Err(Failure::Timeout), Some(asked)) = (&answer, asked) {
            line.discard(asked.generation);
        }
        answer
    }

    fn since_epoch(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX)
    }

    /// The server that keeps this shard, if that is known and there is no doubt about it.
    pub(crate) fn known(&self, shard: &str) -> Option<Arc<Node>> {
        match &self.fleet {
            Fleet::Single(node) => Some(Arc::clone(node)),
            Fleet::Sentinel(sentinel) => sentinel.known(),
            Fleet::Cluster(cluster) => cluster.known(slot::slot(shard)),
        }
    }

    /// The server that keeps this shard, as far as is known, or after asking.
    pub(super) async fn node(&self, shard: &str, deadline: Instant) -> Result<Arc<Node>, Failure> {
        if let Some(node) = self.known(shard) {
            return Ok(node);
        }
        match &self.fleet {
            Fleet::Single(node) => Ok(Arc::clone(node)),
            Fleet::Sentinel(sentinel) => in_time(deadline, Box::pin(sentinel.primary(deadline))).await,
            Fleet::Cluster(cluster) => in_time(deadline, Box::pin(cluster.owner(slot::slot(shard), deadline))).await,
        }
    }

    /// Makes sure that messages about this shard arrive on this channel.
    pub(crate) async fn listen(&self, shard: &str, channel: &[u8]) -> Result<u64, Failure> {
        let deadline = self.deadline();
        let listening = async {
            let mut node = self.node(shard, deadline).await?;
            for _ in 0..MAX_REDIRECTS {
                let failure = match node.ear.listen(channel, deadline).await {
                    Ok(generation) => return Ok(generation),
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

/// Whether a server may answer this without being the primary. A script that finds nothing to do writes nothing, and
/// says of what only the primary has that it is not there.
fn may_only_read(cmd: &Cmd) -> bool {
    matches!(cmd.args_iter().next(), Some(Arg::Simple(b"GET" | b"EVALSHA" | b"EVAL")))
}

fn not_connected() -> Failure {
    Failure::Unreachable(std::io::Error::from(std::io::ErrorKind::NotConnected).into())
}
