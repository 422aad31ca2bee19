//! [`Sentinel`]: one primary that may be another tomorrow, and those that know which.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{ConnectionAddr, Value};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::refresh::{self, Learns, Refresh};
use super::{Dialer, Line, Node};
use crate::error::Failure;
use crate::wait::Lines;

/// Finds the primary by asking the sentinels, and asks again, at most a few times a second, when there is doubt.
#[derive(Debug)]
pub(crate) struct Sentinel {
    sentinels: Vec<Arc<Line>>,
    name: String,
    /// For the primary.
    dialer: Dialer,
    lines: Arc<Lines>,
    primary: Mutex<Option<Arc<Node>>>,
    refresh: Refresh,
}

impl Sentinel {
    pub(crate) fn new(sentinels: Vec<Arc<Line>>, name: String, dialer: Dialer, lines: Arc<Lines>) -> Arc<Self> {
        Arc::new(Self {
            sentinels,
            name,
            dialer,
            lines,
            primary: Mutex::default(),
            refresh: Refresh::default(),
        })
    }

    /// The primary, if it is known and there is no doubt about it: one to which a connection has ended may be back as a
    /// primary of the past, which takes writes until the sentinels have told it.
    pub(crate) fn known(&self) -> Option<Arc<Node>> {
        let node = self.lock().clone();
        node.filter(|node| !node.is_doubted() && node.is_connected())
    }

    /// The primary, as the sentinels have it now.
    pub(crate) async fn primary(self: &Arc<Self>, deadline: Instant) -> Result<Arc<Node>, Failure> {
        refresh::fresh(self, deadline).await?;
        self.lock().clone().ok_or(Failure::Timeout)
    }

    /// Takes note that this node may not be the primary any longer.
    pub(crate) fn doubt(self: &Arc<Self>, node: &Node) {
        node.doubt(true);
        refresh::want(self);
    }

    /// Asks one sentinel, which it takes for the primary.
    async fn ask(self: Arc<Self>, sentinel: usize, deadline: Instant) -> Result<ConnectionAddr, Failure> {
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        let Value::Array(parts) = self.sentinels[sentinel].send(&question, deadline).await? else {
            return Err(Failure::Nonsense);
        };
        let [Value::BulkString(host), Value::BulkString(port)] = parts.as_slice() else {
            return Err(Failure::Nonsense);
        };
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Failure::Nonsense);
        let port = text(port)?.parse().map_err(|_| Failure::Nonsense)?;
        Ok(self.dialer.addr_of(text(host)?, port))
    }

    /// Asks a server whether it is a primary, on each connection to it. News of a failover travel: one that was named may
    /// not know yet, or may know better.
    async fn leads(node: &Node, deadline: Instant) -> Result<(), Failure> {
        for line in node.lines() {
            match line.send(&redis::cmd("ROLE"), deadline).await? {
                Value::Array(parts) if parts.first() == Some(&Value::BulkString(b"master".to_vec())) => {}
                _ => return Err(not_found("the server named is not the primary")),
            }
        }
        Ok(())
    }

    /// Takes this server for the primary, if it says so itself. What is known already stays known: its connections are
    /// made.
    async fn follow(&self, addr: &ConnectionAddr, deadline: Instant) -> Result<(), Failure> {
        let present = self.lock().clone().filter(|node| node.addr == *addr);
        let node = present.unwrap_or_else(|| Node::new(&self.dialer, addr.clone(), &self.lines));
        // One that names a server that does not answer must leave time to try another.
        let share = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
        Self::leads(&node, share).await?;
        node.doubt(false);
        *self.lock() = Some(node);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Node>>> {
        self.primary.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Learns for Sentinel {
    fn refresh(&self) -> &Refresh {
        &self.refresh
    }

    fn limit(&self) -> Duration {
        self.dialer.timeout()
    }

    /// Asks all sentinels at once. What most of them say is followed. Where they are divided, or most do not answer, a
    /// primary that works stays: one that was cut off from the others, or has just come back, may name one of the past.
    async fn learn(self: Arc<Self>) -> Result<(), Failure> {
        let deadline = Instant::now() + self.limit();
        // Sentinels that do not answer must leave time to try what the others have named.
        let half = Instant::now() + self.limit() / 2;
        let mut answers = JoinSet::new();
        for sentinel in 0..self.sentinels.len() {
            answers.spawn(Arc::clone(&self).ask(sentinel, deadline));
        }
        let mut named: Vec<(ConnectionAddr, usize)> = Vec::new();
        let mut failure = Failure::Timeout;
        while let Ok(Some(answer)) = timeout_at(half, answers.join_next()).await {
            let addr = match answer {
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
                match self.follow(&named[index].0, deadline).await {
                    Ok(()) => return Ok(()),
                    Err(other) => failure = other,
                }
                named.clear();
                break;
            }
        }
        let present = self.lock().clone();
        if let Some(node) = present
            && !named.is_empty()
            && Self::leads(&node, deadline.min(half + self.limit() / 4)).await.is_ok()
        {
            return Ok(());
        }
        named.sort_by_key(|(_, votes)| std::cmp::Reverse(*votes));
        for (addr, _) in named {
            match self.follow(&addr, deadline).await {
                Ok(()) => return Ok(()),
                Err(other) => failure = other,
            }
        }
        Err(match failure {
            // One that has not heard of the name answers with nothing.
            Failure::Nonsense => not_found("the sentinels know no primary of this name"),
            other => other,
        })
    }
}

fn not_found(what: &'static str) -> Failure {
    Failure::Unreachable((redis::ErrorKind::MasterNameNotFoundBySentinel, what).into())
}
