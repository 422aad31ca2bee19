//! Routing a command: retries and redirections until a reply arrives or trying is no longer useful.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::{Arg, Cmd, Value};
use tokio::time::Instant;

use super::recovery::Recovery;
use super::{Connection, Idempotency, Node, Router, Topology, in_time, slot};
use crate::durability::Durability;
use crate::error::Failure;
use crate::script::Script;

/// The largest number of redirections of one command.
const MAX_REDIRECTS: u32 = 8;

/// The first pause before a retry. Each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// The longest pause before a retry.
const LONGEST_PAUSE: Duration = Duration::from_millis(64);

impl Router {
    /// Sends a command like [`send`](Self::send). If it has to be durable, also waits for replicas, and returns how
    /// many have acknowledged it.
    pub(crate) async fn route(
        &self,
        shard: &str,
        cmd: &Cmd,
        idempotency: Idempotency,
        durability: Option<&Durability>,
    ) -> Result<(Value, u32), Failure> {
        let now = Instant::now();
        // A durable command may have to wait for an earlier batch.
        let deadline = now + self.timeout + durability.map_or(Duration::ZERO, |durability| durability.timeout * 2);
        // Each connection enforces the time limit itself, from the moment at which a command is sent on it. The first
        // command that is sent without delay needs no timer.
        let (mut node, mut timed) = match self.known_node(shard) {
            Some(node) => (node, false),
            None => (self.node(shard, deadline).await?, true),
        };
        let (mut asking, mut with_source) = (false, None);
        let (mut redirects, mut retried_elsewhere, mut pause) = (0, false, FIRST_PAUSE);
        // A server that becomes the primary between a proof and the command after it refuses the proof and executes the
        // command. A proof is therefore sent only with idempotent commands.
        let needs_proof = idempotency == Idempotency::Idempotent && may_only_read(cmd);
        // The refusal that was the reason for the last retry.
        let mut refused = None;
        loop {
            let cmd = with_source.as_ref().unwrap_or(cmd);
            let sent = match durability {
                Some(durability) => Box::pin(node.durable.send(cmd, asking, durability, deadline)).await,
                None => {
                    let connection = node.connection_for(shard);
                    let reply = if asking {
                        Box::pin(node.send_asking(shard, cmd, deadline)).await
                    } else if timed {
                        Box::pin(self.send_in_time(connection, cmd, needs_proof, (now, deadline))).await
                    } else {
                        self.send_to(connection, cmd, needs_proof, (now, deadline)).await
                    };
                    reply.map(|reply| (reply, 0))
                }
            };
            let failure = match sent {
                Ok(reply) => {
                    if node.is_stale() {
                        node.set_stale(false);
                    }
                    return Ok(reply);
                }
                Err(failure) => failure,
            };
            timed = true;
            match self.recovery(&failure, &node, idempotency) {
                Recovery::SendSource if with_source.is_none() => {
                    with_source = Some(Script::with_source(cmd).ok_or(failure)?);
                    continue;
                }
                Recovery::Redirect(to, is_asking) if redirects < MAX_REDIRECTS => {
                    (node, asking) = (to, is_asking);
                    redirects += 1;
                    continue;
                }
                Recovery::RetryElsewhere | Recovery::RetryElsewhereThenLater if !retried_elsewhere => {
                    retried_elsewhere = true;
                    // A broken connection says less than the failure to make the next one.
                    refused = Some(failure).filter(|failure| matches!(failure, Failure::Refused(_)));
                }
                Recovery::RetryLater | Recovery::RetryElsewhereThenLater if Instant::now() + pause < deadline => {
                    refused = Some(failure);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                _ => {
                    return Err(match failure {
                        // This attempt was not sent, so the earlier refusal says more.
                        Failure::Unreachable(_) => refused.unwrap_or(failure),
                        // The same holds for a timeout if it does not matter whether the command was executed.
                        Failure::Timeout if idempotency == Idempotency::Idempotent => refused.unwrap_or(failure),
                        failure => failure,
                    });
                }
            }
            asking = false;
            node = self.node(shard, deadline).await?;
        }
    }

    /// Sends a command to a server, after a proof that it is the primary if one is needed and there was none recently.
    async fn send_to(
        &self,
        connection: &Arc<Connection>,
        cmd: &Cmd,
        needs_proof: bool,
        (now, deadline): (Instant, Instant),
    ) -> Result<Value, Failure> {
        if needs_proof && let Some(proof) = &self.proof {
            let now = u64::try_from(now.duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX);
            if connection.needs_proof(now) {
                return Box::pin(Node::send_with_proof(connection, proof, cmd, now, deadline)).await;
            }
        }
        if let Topology::Sentinel(_) = self.topology {
            // The server was the primary when its connections were made. Before they are made again, the sentinels have
            // to be asked.
            let Some(live) = connection.current() else {
                let failure = io::Error::from(io::ErrorKind::NotConnected);
                return Err(Failure::Unreachable(failure.into()));
            };
            return connection.send_on(live, cmd).await;
        }
        connection.send(cmd, deadline).await
    }

    /// Sends a command in the same way, and discards the connection if there is no reply by the deadline.
    async fn send_in_time(
        &self,
        connection: &Arc<Connection>,
        cmd: &Cmd,
        needs_proof: bool,
        (now, deadline): (Instant, Instant),
    ) -> Result<Value, Failure> {
        let live = connection.current();
        let reply = in_time(deadline, self.send_to(connection, cmd, needs_proof, (now, deadline))).await;
        if let (Err(Failure::Timeout), Some(live)) = (&reply, live) {
            connection.discard(live.generation);
        }
        reply
    }

    /// Returns the server that owns this shard, if it is known and not stale.
    pub(crate) fn known_node(&self, shard: &str) -> Option<Arc<Node>> {
        match &self.topology {
            Topology::Single(node) => Some(Arc::clone(node)),
            Topology::Sentinel(sentinel) => sentinel.known_primary(),
            Topology::Cluster(cluster) => cluster.known_owner(slot::slot(shard)),
        }
    }

    /// Returns the server that owns this shard, asking the servers if it is not known.
    pub(super) async fn node(&self, shard: &str, deadline: Instant) -> Result<Arc<Node>, Failure> {
        if let Some(node) = self.known_node(shard) {
            return Ok(node);
        }
        match &self.topology {
            Topology::Single(node) => Ok(Arc::clone(node)),
            Topology::Sentinel(sentinel) => in_time(deadline, Box::pin(sentinel.primary(deadline))).await,
            Topology::Cluster(cluster) => in_time(deadline, Box::pin(cluster.owner(slot::slot(shard), deadline))).await,
        }
    }

    /// Subscribes to the channel for messages about this shard. Returns the generation of the subscription's
    /// connection.
    pub(crate) async fn subscribe(&self, shard: &str, channel: &[u8]) -> Result<u64, Failure> {
        let deadline = self.deadline();
        let subscribing = async {
            let mut node = self.node(shard, deadline).await?;
            for _ in 0..MAX_REDIRECTS {
                let failure = match node.subscriber.subscribe(channel, deadline).await {
                    Ok(generation) => return Ok(generation),
                    Err(failure) => failure,
                };
                match self.recovery(&failure, &node, Idempotency::Idempotent) {
                    Recovery::Redirect(to, false) => node = to,
                    _ => return Err(failure),
                }
            }
            Err(Failure::UnexpectedReply)
        };
        in_time(deadline, subscribing).await
    }
}

/// Returns whether a server might execute this command without being the primary. A script that finds nothing to do
/// writes nothing, and reports a key as missing that only the primary has.
fn may_only_read(cmd: &Cmd) -> bool {
    matches!(cmd.args_iter().next(), Some(Arg::Simple(b"GET" | b"EVALSHA" | b"EVAL")))
}
