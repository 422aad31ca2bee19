//! Routes commands to servers: chooses the server, retries where that is safe, and enforces time limits.
//!
//! The `redis` crate provides the parser, connections that many tasks share, and the names of server errors. This
//! module decides when a connection is replaced, and by which: only here is it known on which connection a command was
//! sent, and so what a failure says about it. Decision 31 gives the reasons.

mod backoff;
mod cluster;
mod coalesce;
mod connect;
mod connection;
mod connector;
mod durable;
mod endpoint;
mod node;
mod recovery;
mod refresh;
mod route;
#[cfg(test)]
mod runtime_shutdown;
mod sentinel;
mod slot;
mod slot_map;
mod state;
mod subscriber;
mod tls;
mod topology;

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::time::Instant;

pub(crate) use self::cluster::Cluster;
pub(crate) use self::connection::{Connection, OnPush};
pub(crate) use self::connector::{AddressMap, Connector};
pub(crate) use self::node::{Node, text};
pub(crate) use self::sentinel::Sentinel;
pub(crate) use self::subscriber::OnMessage;
pub(crate) use self::tls::Tls;
pub(crate) use self::topology::{Topology, TopologyConfig};
use crate::error::Failure;

/// The effect of sending a command again after its outcome has become ambiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idempotency {
    /// Repeating the command changes nothing.
    Idempotent,
    /// A second execution would have another result: the caller has to learn that the outcome is ambiguous.
    NotIdempotent,
}

/// Routes commands to the servers.
pub(crate) struct Router {
    /// The time limit of a call.
    pub(crate) timeout: Duration,
    topology: Topology,
    /// A command that writes nothing and that a replica refuses. It is used where a connection may come to lead to a
    /// replica unnoticed.
    proof: Option<Cmd>,
    /// The moment from which the times of proofs are counted.
    epoch: Instant,
}

impl Router {
    /// Creates a router for keys that begin with `prefix`.
    pub(crate) fn new(timeout: Duration, topology: Topology, prefix: &str) -> Self {
        let proof = match topology {
            Topology::Single(_) | Topology::Sentinel(_) => {
                let mut proof = redis::cmd("DEL");
                // The names of sessions have their shard in braces here, so no session has this name.
                proof.arg(format!("{prefix}primary"));
                Some(proof)
            }
            // A node that no longer owns a slot refuses reads as well.
            Topology::Cluster(_) => None,
        };
        Self {
            timeout,
            topology,
            proof,
            epoch: Instant::now(),
        }
    }

    /// Returns the deadline of a call that begins now.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Sends a command to the server that owns this shard, and returns its reply within the time limit.
    ///
    /// A command that a server has refused without acting on it is sent again where that can help. One whose outcome is
    /// ambiguous is sent again only if it is idempotent.
    pub(crate) async fn send(&self, shard: &str, cmd: &Cmd, idempotency: Idempotency) -> Result<Value, Failure> {
        Ok(self.route(shard, cmd, idempotency, None).await?.0)
    }

    /// Returns all primaries: those that are known, or those that the servers name now if `refresh` is set.
    pub(crate) async fn primaries(&self, refresh: bool) -> Result<Vec<Arc<Node>>, Failure> {
        match &self.topology {
            Topology::Single(_) | Topology::Sentinel(_) => Ok(vec![self.node("", self.deadline()).await?]),
            Topology::Cluster(cluster) => {
                let deadline = self.deadline();
                in_time(deadline, cluster.owners(refresh, deadline)).await
            }
        }
    }

    /// Returns the shard that names the channel for messages about this shard; `None` if one channel serves all shards.
    /// A cluster has one channel for each slot, because a channel is in a slot like a key.
    pub(crate) fn channel_shard(&self, shard: &str) -> Option<&'static str> {
        self.is_cluster().then(|| slot::representative(shard))
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.topology, Topology::Cluster(_))
    }

    /// Discards the subscription of this generation unless a message about this shard arrives that should have arrived
    /// on it. Does nothing if the server is not known at present.
    pub(crate) async fn verify(&self, shard: &str, generation: u64, channel: &[u8], arrived: impl Fn() -> bool) {
        if let Some(node) = self.known_node(shard) {
            node.subscriber.verify(generation, channel, arrived).await;
        }
    }
}

/// Fails with a timeout at the deadline.
pub(crate) async fn in_time<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::time::timeout_at(deadline, work)
        .await
        .unwrap_or(Err(Failure::Timeout))
}

/// Returns whether the current runtime has begun to shut down. It drops each new task at once then, so work that needs
/// a task fails, which says nothing about a server.
async fn is_runtime_shutting_down() -> bool {
    tokio::spawn(async {}).await.is_err()
}

#[cfg(test)]
mod tests {
    use super::subscriber::Ignore;
    use super::*;

    /// A future is moved whenever it is put into another. Rare steps such as connecting take kilobytes, and have to be
    /// boxed where they are called.
    #[test]
    fn a_command_on_its_way_is_small() {
        let connector = Connector::new("redis://127.0.0.1:1", Duration::from_secs(2), &Arc::default()).unwrap();
        let topology = TopologyConfig::Single(connector).build(Arc::new(Ignore));
        let router = Router::new(Duration::from_secs(1), topology, "");
        let get = redis::cmd("GET");
        let sent = router.send("", &get, Idempotency::Idempotent);
        let bytes = size_of_val(&sent);
        assert!(bytes <= 2_048, "{bytes} bytes");
    }
}
