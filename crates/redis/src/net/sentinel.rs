//! [`Sentinel`]: one primary that may be another tomorrow, and those who know which.

use std::sync::{Arc, Mutex, PoisonError};

use redis::Value;
use tokio::time::Instant;

use super::{Dialer, Line, Node, in_time};
use crate::error::Failure;
use crate::wait::Lines;

/// Finds the primary by asking the sentinels, and asks again when there is doubt.
#[derive(Debug)]
pub(crate) struct Sentinel {
    sentinels: Vec<Arc<Line>>,
    name: String,
    /// For the primary.
    dialer: Dialer,
    lines: Arc<Lines>,
    primary: Mutex<Primary>,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Primary {
    node: Option<Arc<Node>>,
    /// Whether it may have been deposed.
    doubted: bool,
}

impl Sentinel {
    pub(crate) fn new(sentinels: Vec<Arc<Line>>, name: String, dialer: Dialer, lines: Arc<Lines>) -> Self {
        Self {
            sentinels,
            name,
            dialer,
            lines,
            primary: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// The primary, if it is known and there is no doubt about it.
    pub(crate) fn known(&self) -> Option<Arc<Node>> {
        let primary = self.lock();
        primary.node.clone().filter(|_| !primary.doubted)
    }

    /// The primary, asked for if need be.
    pub(crate) async fn primary(&self, deadline: Instant) -> Result<Arc<Node>, Failure> {
        let _only_one_asks = self.asking.lock().await;
        if let Some(node) = self.known() {
            return Ok(node);
        }
        let mut failure = Failure::Timeout;
        for sentinel in &self.sentinels {
            // One that does not answer, or names a server that does not, must leave time to ask the others.
            let share = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
            match in_time(share, self.ask(sentinel, share)).await {
                Ok(node) => {
                    *self.lock() = Primary {
                        node: Some(Arc::clone(&node)),
                        doubted: false,
                    };
                    return Ok(node);
                }
                Err(other) => failure = other,
            }
        }
        if let Failure::Nonsense = failure {
            // One that has not heard of the name answers with nothing.
            let kind = redis::ErrorKind::MasterNameNotFoundBySentinel;
            failure = Failure::Unreachable((kind, "the sentinels know no primary of this name").into());
        }
        Err(failure)
    }

    /// Asks one sentinel, and whoever it names whether that is so.
    async fn ask(&self, sentinel: &Arc<Line>, deadline: Instant) -> Result<Arc<Node>, Failure> {
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        let Value::Array(parts) = sentinel.send(&question, deadline).await? else {
            return Err(Failure::Nonsense);
        };
        let [Value::BulkString(host), Value::BulkString(port)] = parts.as_slice() else {
            return Err(Failure::Nonsense);
        };
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Failure::Nonsense);
        let port = text(port)?.parse().map_err(|_| Failure::Nonsense)?;
        let addr = self.dialer.addr_of(text(host)?, port);

        let known = self.lock().node.clone().filter(|node| node.addr == addr);
        let node = known.unwrap_or_else(|| Node::new(&self.dialer, addr, &self.lines));
        // News of a failover travel: the one it names may not know yet, or may know better.
        let role = node.line.send(&redis::cmd("ROLE"), deadline).await?;
        match role {
            Value::Array(parts) if parts.first() == Some(&Value::BulkString(b"master".to_vec())) => Ok(node),
            _ => Err(Failure::Unreachable(
                (
                    redis::ErrorKind::MasterNameNotFoundBySentinel,
                    "the server named is not the primary",
                )
                    .into(),
            )),
        }
    }

    /// Takes note that this node may not be the primary any longer.
    pub(crate) fn doubt(&self, node: &Arc<Node>) {
        let mut primary = self.lock();
        if primary.node.as_ref().is_some_and(|present| Arc::ptr_eq(present, node)) {
            primary.doubted = true;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Primary> {
        self.primary.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
