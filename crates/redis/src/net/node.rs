//! [`Node`]: one server, and the connections to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::{Cmd, ConnectionAddr, Value};
use tokio::time::Instant;

use super::connection::is_demoted;
use super::durable::DurableConnection;
use super::subscriber::Subscriber;
use super::{Connection, Connector, OnMessage, slot};
use crate::error::Failure;

/// The time, in milliseconds, for which a server that has accepted a write is trusted to be the primary.
const PROOF_VALIDITY: u64 = 1_000;

/// The time, in milliseconds, for which other calls trust the server while one asks for a proof.
const PROOF_TIMEOUT: u64 = 100;

/// A server. Its connections are made when they are needed.
pub(crate) struct Node {
    pub(crate) addr: ConnectionAddr,
    /// The connections for commands. There is at least one.
    pub(super) connections: Box<[Arc<Connection>]>,
    /// The connection for messages.
    pub(crate) subscriber: Arc<Subscriber>,
    /// The connection for writes that have to reach replicas.
    pub(crate) durable: Arc<DurableConnection>,
    /// True if the server has failed since its last reply. Relaxed, because it is a hint that publishes no other data.
    stale: AtomicBool,
}

impl Node {
    pub(crate) fn new(connector: &Connector, addr: ConnectionAddr, on_message: &Arc<dyn OnMessage>) -> Arc<Self> {
        let commands = (0..connector.connections.get()).map(|_| connector.connection(addr.clone(), None));
        let node = Self {
            connections: commands.collect(),
            durable: DurableConnection::new(connector.with_replication_timeout().connection(addr.clone(), None)),
            subscriber: Subscriber::new(connector, addr.clone(), Arc::clone(on_message)),
            addr,
            stale: AtomicBool::new(false),
        };
        for (index, connection) in node.connections.iter().enumerate() {
            let others = node.connections.iter().enumerate().filter(|(other, _)| *other != index);
            let others = others.map(|(_, other)| other);
            connection.set_siblings(others.chain([&node.durable.connection, &node.subscriber.connection]));
        }
        Arc::new(node)
    }

    /// Returns the connection for commands that concern no particular shard.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connections[0]
    }

    /// Returns whether all connections for commands are open.
    pub(super) fn is_connected(&self) -> bool {
        self.connections.iter().all(|connection| connection.is_connected())
    }

    /// Returns the connection for commands about this shard. It is always the same, so that commands arrive in order:
    /// the release of an unwanted lock must not overtake the request for it.
    pub(crate) fn connection_for(&self, shard: &str) -> &Arc<Connection> {
        match &*self.connections {
            [connection] => connection,
            connections => &connections[usize::from(slot::slot(shard)) % connections.len()],
        }
    }

    /// Returns whether the server may have failed, or may no longer be the right one.
    pub(super) fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }

    pub(super) fn set_stale(&self, stale: bool) {
        self.stale.store(stale, Ordering::Relaxed);
    }

    /// Returns a field of a section of INFO.
    pub(crate) async fn info(&self, section: &str, field: &str, deadline: Instant) -> Result<String, Failure> {
        let mut cmd = redis::cmd("INFO");
        cmd.arg(section);
        let text = text(self.connection().send(&cmd, deadline).await?)?;
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let value = value.map(|value| value.trim().to_owned());
        value.ok_or(Failure::UnexpectedReply)
    }

    /// Sends a command about a slot that is migrating to this node.
    pub(crate) async fn send_asking(&self, shard: &str, cmd: &Cmd, deadline: Instant) -> Result<Value, Failure> {
        send_after(self.connection_for(shard), &redis::cmd("ASKING"), cmd, deadline)
            .await?
            .1
    }

    /// Sends a reading command after one that would write if its key existed, which a replica refuses. Other reading
    /// calls do not wait for the proof.
    pub(super) async fn send_with_proof(
        connection: &Arc<Connection>,
        proof: &Cmd,
        cmd: &Cmd,
        now: u64,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        connection.trust_until(now + PROOF_TIMEOUT);
        let (refusal, reply) = send_after(connection, proof, cmd, deadline).await?;
        match refusal {
            Some(error) if is_demoted(&error) => Err(Failure::Refused(error)),
            // Other errors, such as missing permissions or memory, say nothing about which server is the primary.
            _ => {
                connection.trust_until(now + PROOF_VALIDITY);
                reply
            }
        }
    }
}

/// Reads a reply that is a text.
pub(crate) fn text(value: Value) -> Result<String, Failure> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).map_err(|_| Failure::UnexpectedReply),
        Value::VerbatimString { text, .. } => Ok(text),
        _ => Err(Failure::UnexpectedReply),
    }
}

/// Sends a command directly after another. Returns the error of the first, if any, and the reply.
async fn send_after(
    connection: &Arc<Connection>,
    first: &Cmd,
    cmd: &Cmd,
    deadline: Instant,
) -> Result<(Option<redis::ServerError>, Result<Value, Failure>), Failure> {
    let mut both = redis::Pipeline::with_capacity(2);
    both.add_command(first.clone()).add_command(cmd.clone());
    let replies = connection.send_all(&both, 2, deadline).await?;
    let [first, reply] = <[Value; 2]>::try_from(replies).map_err(|_| Failure::UnexpectedReply)?;
    let refusal = match first {
        Value::ServerError(error) => Some(error),
        _ => None,
    };
    let reply = match reply {
        Value::ServerError(error) => Err(Failure::Refused(error)),
        reply => Ok(reply),
    };
    Ok((refusal, reply))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use super::super::subscriber::Ignore;
    use super::*;

    fn node(connections: usize) -> Arc<Node> {
        let mut connector = Connector::new("redis://127.0.0.1:1", Duration::from_secs(1), &Arc::default()).unwrap();
        connector.connections = NonZeroUsize::new(connections).unwrap();
        let on_message: Arc<dyn OnMessage> = Arc::new(Ignore);
        Node::new(&connector, connector.addr(), &on_message)
    }

    /// Commands about one session have to arrive in the order in which they are sent.
    #[test]
    fn commands_about_one_shard_use_one_connection() {
        for connections in [1, 2, 3, 8] {
            let node = node(connections);
            let mut used = vec![0; connections];
            for first in 'A'..='Z' {
                for second in 'a'..='z' {
                    let shard = format!("{first}{second}-");
                    let connection = node.connection_for(&shard);
                    assert!(Arc::ptr_eq(connection, node.connection_for(&shard)));
                    let index = node.connections.iter().position(|other| Arc::ptr_eq(other, connection));
                    used[index.unwrap()] += 1;
                }
            }
            let share = 26 * 26 / connections;
            assert!(used.iter().all(|used| *used > share / 2), "{used:?}");
        }
    }
}
