//! [`Sentinel`]: a primary that may change, and the sentinels that name it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::{ConnectionAddr, Value};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::refresh::{self, Refresh, Refreshable};
use super::{Connection, Connector, Node, OnMessage};
use crate::error::Failure;
use crate::sync::lock;

/// Finds the primary by asking the sentinels, and asks again, at most a few times a second, when the primary is stale.
pub(crate) struct Sentinel {
    sentinels: Vec<Arc<Connection>>,
    name: String,
    /// The settings of connections to the primary.
    connector: Connector,
    on_message: Arc<dyn OnMessage>,
    primary: Mutex<Option<Arc<Node>>>,
    refresh: Refresh,
}

impl Sentinel {
    pub(crate) fn new(
        sentinels: Vec<Arc<Connection>>,
        name: String,
        connector: Connector,
        on_message: Arc<dyn OnMessage>,
    ) -> Arc<Self> {
        Arc::new(Self {
            sentinels,
            name,
            connector,
            on_message,
            primary: Mutex::default(),
            refresh: Refresh::default(),
        })
    }

    /// Returns the primary, if it is known, connected and not stale. A server whose connection has ended may have
    /// restarted as a former primary, which accepts writes until the sentinels reconfigure it.
    pub(crate) fn known_primary(&self) -> Option<Arc<Node>> {
        let node = lock(&self.primary).clone();
        node.filter(|node| !node.is_stale() && node.is_connected())
    }

    /// Returns the primary after asking the sentinels.
    pub(crate) async fn primary(self: &Arc<Self>, deadline: Instant) -> Result<Arc<Node>, Failure> {
        refresh::request_and_wait(self, deadline).await?;
        lock(&self.primary).clone().ok_or(Failure::Timeout)
    }

    /// Marks the primary as stale, and asks the sentinels.
    pub(crate) fn mark_stale(self: &Arc<Self>, node: &Node) {
        node.set_stale(true);
        refresh::request(self);
    }

    /// Asks one sentinel for the address of the primary.
    async fn query(self: Arc<Self>, sentinel: usize, deadline: Instant) -> Result<ConnectionAddr, Failure> {
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        let Value::Array(parts) = self.sentinels[sentinel].send(&command, deadline).await? else {
            return Err(Failure::UnexpectedReply);
        };
        let [Value::BulkString(host), Value::BulkString(port)] = parts.as_slice() else {
            return Err(Failure::UnexpectedReply);
        };
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Failure::UnexpectedReply);
        let port = text(port)?.parse().map_err(|_| Failure::UnexpectedReply)?;
        Ok(self.connector.addr_of(text(host)?, port))
    }

    /// Checks by ROLE, on each connection to a server, that it is a primary. Information about a failover spreads with
    /// a delay: a server may not know yet of its new role, or may know it before the sentinels do.
    async fn check_is_primary(node: &Node, deadline: Instant) -> Result<(), Failure> {
        for connection in &node.connections {
            match connection.send(&redis::cmd("ROLE"), deadline).await? {
                Value::Array(parts) if parts.first() == Some(&Value::BulkString(b"master".to_vec())) => {}
                _ => return Err(not_found("the server named is not the primary")),
            }
        }
        Ok(())
    }

    /// Adopts this server as the primary, if it confirms its role. If it is the present primary, its node is kept with
    /// its open connections.
    async fn adopt(&self, addr: &ConnectionAddr, deadline: Instant) -> Result<(), Failure> {
        let present = lock(&self.primary).clone().filter(|node| node.addr == *addr);
        let node = present.unwrap_or_else(|| Node::new(&self.connector, addr.clone(), &self.on_message));
        // A sentinel may name a server that does not reply. There must be time left to try another.
        let share = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
        Self::check_is_primary(&node, share).await?;
        node.set_stale(false);
        *lock(&self.primary) = Some(node);
        Ok(())
    }
}

impl Refreshable for Sentinel {
    fn refresh(&self) -> &Refresh {
        &self.refresh
    }

    fn limit(&self) -> Duration {
        self.connector.timeout
    }

    /// Asks all sentinels at once, and adopts the primary that a majority names. Without a majority, a working primary
    /// is kept: a sentinel that was partitioned or has just restarted may name a former primary.
    async fn load(self: Arc<Self>) -> Result<(), Failure> {
        let deadline = Instant::now() + self.limit();
        // Sentinels that do not reply must leave time to try the servers that the others have named.
        let half = Instant::now() + self.limit() / 2;
        let mut replies = JoinSet::new();
        for sentinel in 0..self.sentinels.len() {
            replies.spawn(Arc::clone(&self).query(sentinel, deadline));
        }
        let mut named: Vec<(ConnectionAddr, usize)> = Vec::new();
        let mut failure = Failure::Timeout;
        while let Ok(Some(reply)) = timeout_at(half, replies.join_next()).await {
            let addr = match reply {
                Ok(Ok(addr)) => addr,
                Ok(Err(other)) => {
                    failure = other;
                    continue;
                }
                Err(_) => continue,
            };
            let index = named.iter().position(|(other, _)| *other == addr);
            let index = index.unwrap_or_else(|| {
                named.push((addr, 0));
                named.len() - 1
            });
            named[index].1 += 1;
            if named[index].1 * 2 > self.sentinels.len() {
                match self.adopt(&named[index].0, deadline).await {
                    Ok(()) => return Ok(()),
                    Err(other) => failure = other,
                }
                named.clear();
                break;
            }
        }
        let present = lock(&self.primary).clone();
        if let Some(node) = present
            && !named.is_empty()
            && Self::check_is_primary(&node, deadline.min(half + self.limit() / 4))
                .await
                .is_ok()
        {
            return Ok(());
        }
        named.sort_by_key(|(_, votes)| std::cmp::Reverse(*votes));
        for (addr, _) in named {
            match self.adopt(&addr, deadline).await {
                Ok(()) => return Ok(()),
                Err(other) => failure = other,
            }
        }
        Err(match failure {
            // A sentinel that does not know the name replies with nil.
            Failure::UnexpectedReply => not_found("the sentinels know no primary of this name"),
            other => other,
        })
    }
}

fn not_found(what: &'static str) -> Failure {
    Failure::Unreachable((redis::ErrorKind::MasterNameNotFoundBySentinel, what).into())
}
