//! The way to the servers: which one to ask, what may be asked again, and when to give up.
//!
//! The routing is our own, on top of the client's plain connections, because the outcome of a command must stay
//! known: the client's own cluster and sentinel connections send a command again when a connection breaks, and a
//! commit that is sent twice finds its lock gone the second time although it has succeeded.

mod cluster;
mod dialer;
mod lane;
mod line;
mod node;
mod sentinel;
mod slot;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, ServerError, ServerErrorKind, Value};
use tokio::time::Instant;

pub(crate) use self::cluster::Cluster;
pub(crate) use self::dialer::Dialer;
pub(crate) use self::line::{Line, OnPush};
pub(crate) use self::node::Node;
pub(crate) use self::sentinel::Sentinel;
pub(crate) use self::tls::Tls;
use crate::durable::Durability;
use crate::error::Failure;
use crate::script::Script;

/// How many times one command is sent somewhere else.
const MAX_REDIRECTS: u32 = 8;

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
    Sentinel(Sentinel),
    Cluster(Cluster),
}

/// The servers.
#[derive(Debug)]
pub(crate) struct Net {
    timeout: Duration,
    fleet: Fleet,
}

impl Net {
    pub(crate) fn new(timeout: Duration, fleet: Fleet) -> Self {
        Self { timeout, fleet }
    }

    /// When a call that begins now has to be over.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
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

    async fn route(
        &self,
        shard: &str,
        cmd: &Cmd,
        again: Again,
        durability: Option<&Durability>,
    ) -> Result<(Value, u32), Failure> {
        // What is durable may have to let another batch pass first.
        let deadline = self.deadline() + durability.map_or(Duration::ZERO, |durability| durability.timeout * 2);
        let mut node = self.node(shard, deadline).await?;
        let (mut asking, mut spelled_out) = (false, None);
        let (mut redirects, mut second) = (0, false);
        loop {
            let cmd = spelled_out.as_ref().unwrap_or(cmd);
            let sent = match durability {
                Some(durability) => Box::pin(node.lane.send(cmd, asking, durability, deadline)).await,
                None if asking => Box::pin(node.send_asking(cmd, deadline))
                    .await
                    .map(|answer| (answer, 0)),
                None => node.line.send(cmd, deadline).await.map(|answer| (answer, 0)),
            };
            let failure = match sent {
                Ok(answer) => return Ok(answer),
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
                Remedy::Elsewhere if !second => second = true,
                _ => return Err(failure),
            }
            asking = false;
            node = self.node(shard, deadline).await?;
        }
    }

    /// What can be done about a failure.
    fn remedy(&self, failure: &Failure, node: &Arc<Node>, again: Again) -> Remedy {
        use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, NoScript, ReadOnly, TryAgain};
        match failure {
            Failure::Refused(error) => match error.kind() {
                Some(NoScript) => Remedy::SpellOut,
                Some(Moved | Ask) => self.redirect(error, node),
                // The keys are at different places. The caller can do with fewer.
                Some(TryAgain) => Remedy::None,
                Some(ReadOnly | MasterDown | ClusterDown | BusyLoading) => self.doubt(node),
                _ => Remedy::None,
            },
            Failure::Unreachable(_) => self.doubt(node),
            Failure::Broken(_) => {
                self.doubt(node);
                match again {
                    Again::Harmless => Remedy::Elsewhere,
                    Again::Never => Remedy::None,
                }
            }
            Failure::Timeout => {
                self.doubt(node);
                Remedy::None
            }
            Failure::Setup(_) | Failure::Shortfall(_) | Failure::Forbidden(_) | Failure::Nonsense => Remedy::None,
        }
    }

    /// Where MOVED and ASK point to.
    fn redirect(&self, error: &ServerError, from: &Node) -> Remedy {
        let Fleet::Cluster(cluster) = &self.fleet else {
            return Remedy::None;
        };
        let target = error.details().and_then(|details| {
            let (_slot, addr) = details.split_once(' ')?;
            let (host, port) = addr.rsplit_once(':')?;
            let host = if host.is_empty() {
                cluster::host_of(&from.addr)?
            } else {
                host
            };
            Some(cluster.at(host, port.parse().ok()?))
        });
        let asking = error.kind() == Some(ServerErrorKind::Ask);
        if !asking {
            // Where one slot has moved others may have.
            cluster.doubt();
        }
        target.map_or(Remedy::None, |node| Remedy::Redirect(node, asking))
    }

    /// Takes note that a node may not be the right one any longer. There may be another, if there are several.
    fn doubt(&self, node: &Arc<Node>) -> Remedy {
        match &self.fleet {
            Fleet::Single(_) => return Remedy::None,
            Fleet::Sentinel(sentinel) => sentinel.doubt(node),
            Fleet::Cluster(cluster) => cluster.doubt(),
        }
        Remedy::Elsewhere
    }

    /// The server that keeps this shard, as far as is known.
    async fn node(&self, shard: &str, deadline: Instant) -> Result<Arc<Node>, Failure> {
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

    /// All servers that keep sessions.
    pub(crate) async fn primaries(&self) -> Result<Vec<Arc<Node>>, Failure> {
        match &self.fleet {
            Fleet::Single(_) | Fleet::Sentinel(_) => Ok(vec![self.node("", self.deadline()).await?]),
            Fleet::Cluster(cluster) => {
                let deadline = self.deadline();
                in_time(deadline, cluster.owners(deadline)).await
            }
        }
    }

    /// The shard that the channels of messages for this shard are in; `None` if one channel will do for all.
    pub(crate) fn channel_shard<'a>(&self, shard: &'a str) -> Option<&'a str> {
        self.is_cluster().then_some(shard)
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.fleet, Fleet::Cluster(_))
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

    /// Listens anew: a message about this shard did not arrive.
    pub(crate) async fn distrust(&self, shard: &str) {
        if let Ok(node) = self.node(shard, self.deadline()).await {
            node.ear.distrust();
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

/// What can be done about a failure.
enum Remedy {
    /// Send the script itself instead of its digest.
    SpellOut,
    /// Send it to this node, as one that has been told to ask or as any other.
    Redirect(Arc<Node>, bool),
    /// Send it again, once, to whoever is in charge now.
    Elsewhere,
    /// Nothing.
    None,
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
        let net = Net::new(Duration::from_secs(1), fleet(&lines));
        let get = redis::cmd("GET");
        let sent = net.send("", &get, Again::Harmless);
        let bytes = size_of_val(&sent);
        assert!(bytes <= 2_048, "{bytes} bytes");
    }
}
