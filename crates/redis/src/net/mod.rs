//! The way to the servers: which one to ask, what may be asked again, and when to give up.
//!
//! The client brings the parser, connections that many tasks share, TLS, and the names of what a server refuses.
//! When a connection is replaced, and by which, is ours: only here is it known on which connection a command was sent,
//! and so what a failure says about it. Decision 31 says more.

mod attempt;
mod backoff;
mod cluster;
mod dialer;
#[cfg(test)]
mod ending;
mod gather;
mod lane;
mod line;
mod map;
mod node;
mod refresh;
mod remedy;
mod route;
mod sentinel;
mod slot;
mod tls;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::time::Instant;

pub(crate) use self::cluster::Cluster;
pub(crate) use self::dialer::{AddressMap, Dialer};
pub(crate) use self::line::{Line, OnPush};
pub(crate) use self::node::Node;
pub(crate) use self::sentinel::Sentinel;
pub(crate) use self::tls::Tls;
use crate::durable::Durability;
use crate::error::Failure;

/// Whether a command may be sent again when nobody knows what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// To do it twice is to do it once.
    Harmless,
    /// A second time would answer differently: the caller has to be told that the outcome is open.
    Never,
}

/// How the servers are arranged.
#[derive(Debug)]
pub(crate) enum Fleet {
    Single(Arc<Node>),
    Sentinel(Arc<Sentinel>),
    Cluster(Arc<Cluster>),
}

/// The servers.
#[derive(Debug)]
pub(crate) struct Net {
    timeout: Duration,
    fleet: Fleet,
    /// A command that writes nothing and that a replica refuses, where a connection may come to lead to one unnoticed.
    proof: Option<Cmd>,
    /// The moment from which the times of proofs are counted.
    epoch: Instant,
}

impl Net {
    /// `prefix` is what all keys begin with.
    pub(crate) fn new(timeout: Duration, fleet: Fleet, prefix: &str) -> Self {
        let proof = match fleet {
            Fleet::Single(_) | Fleet::Sentinel(_) => {
                let mut proof = redis::cmd("DEL");
                // Sessions have their shard in braces here, so this is the name of none.
                proof.arg(format!("{prefix}primary"));
                Some(proof)
            }
            // A node that no longer keeps a slot says so to those that read as well.
            Fleet::Cluster(_) => None,
        };
        Self {
            timeout,
            fleet,
            proof,
            epoch: Instant::now(),
        }
    }

    /// When a call that begins now has to be over.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// How long a call may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends a command to the server that keeps this shard, and returns its answer.
    ///
    /// Takes no longer than the configured time. A command that a server has refused without acting on it is sent
    /// again where that can help; one whose outcome is unknown only if that is harmless.
    pub(crate) async fn send(&self, shard: &str, cmd: &Cmd, again: Again) -> Result<Value, Failure> {
        Ok(self.route(shard, cmd, again, None).await?.0)
    }

    /// Sends a command likewise, and tells how many replicas have it after the time they are given.
    pub(crate) async fn send_durably(
        &self,
        shard: &str,
        cmd: &Cmd,
        again: Again,
        durability: &Durability,
    ) -> Result<(Value, u32), Failure> {
        self.route(shard, cmd, again, Some(durability)).await
    }

    /// All servers that keep sessions, as far as is known, or after asking anew.
    pub(crate) async fn primaries(&self, anew: bool) -> Result<Vec<Arc<Node>>, Failure> {
        match &self.fleet {
            Fleet::Single(_) | Fleet::Sentinel(_) => Ok(vec![self.node("", self.deadline()).await?]),
            Fleet::Cluster(cluster) => {
                let deadline = self.deadline();
                in_time(deadline, cluster.owners(anew, deadline)).await
            }
        }
    }

    /// A shard that stands for all those whose messages arrive on one channel with those of this shard; `None` if one
    /// channel will do for all. In a cluster it is one for each slot, as a channel is in a slot like a key.
    pub(crate) fn channel_shard(&self, shard: &str) -> Option<&'static str> {
        self.is_cluster().then(|| slot::representative(shard))
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.fleet, Fleet::Cluster(_))
    }

    /// Listens anew unless a message about this shard arrives that should have arrived on the connection of this
    /// generation. If the server is not known just now, there is no connection to put aside either.
    pub(crate) async fn verify(&self, shard: &str, generation: u64, channel: &[u8], arrived: impl Fn() -> bool) {
        if let Some(node) = self.known(shard) {
            node.ear.verify(generation, channel, arrived).await;
        }
    }
}

/// Gives up when the time is over.
pub(crate) async fn in_time<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::time::timeout_at(deadline, work)
        .await
        .unwrap_or(Err(Failure::Timeout))
}

/// Whether the runtime that this is called in has begun to end. It drops each new task at once then, so whatever needs one
/// fails, which says nothing about a server.
async fn has_runtime_begun_to_end() -> bool {
    tokio::spawn(async {}).await.is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::RedisServers;
    use crate::wait::Lines;

    /// A future is moved whenever it is put into another. What is seldom needed, such as connecting, takes kilobytes,
    /// and has to be boxed where it is called.
    #[test]
    fn a_command_on_its_way_is_small() {
        let fleet = RedisServers::single("redis://127.0.0.1:1")
            .prepare(Duration::ZERO)
            .unwrap();
        let lines = Lines::new(1, Box::new(|_, _| ()));
        let net = Net::new(Duration::from_secs(1), fleet(&lines), "");
        let get = redis::cmd("GET");
        let sent = net.send("", &get, Again::Harmless);
        let bytes = size_of_val(&sent);
        assert!(bytes <= 2_048, "{bytes} bytes");
    }
}
