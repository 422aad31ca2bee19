//! [`Cluster`]: many primaries, each with a part of the slots, and the map that says which.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use redis::{ConnectionAddr, Value};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::slot::SLOTS;
use super::{Dialer, Node};
use crate::error::Failure;
use crate::wait::Lines;

/// Knows which node keeps which slot, and learns it anew when that changes.
#[derive(Debug)]
pub(crate) struct Cluster {
    dialer: Dialer,
    lines: Arc<Lines>,
    /// The nodes to ask for a map when there is none.
    seeds: Vec<Arc<Node>>,
    map: RwLock<Map>,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Map {
    /// The owner of each slot, as an index of `nodes`; empty if there is no map yet.
    owners: Vec<Option<u16>>,
    nodes: Vec<Arc<Node>>,
    /// Nodes that have been heard of since the map was drawn.
    others: Vec<Arc<Node>>,
    /// Counts the maps there have been.
    edition: u64,
    /// Whether there is reason to ask for another.
    doubted: bool,
}

impl Cluster {
    pub(crate) fn new(dialer: Dialer, seeds: Vec<ConnectionAddr>, lines: Arc<Lines>) -> Self {
        Self {
            seeds: seeds.into_iter().map(|addr| Node::new(&dialer, addr, &lines)).collect(),
            dialer,
            lines,
            map: RwLock::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// The node that keeps a slot, if that is known and there is no doubt about it.
    pub(crate) fn known(&self, slot: u16) -> Option<Arc<Node>> {
        let map = self.read();
        let owner = (*map.owners.get(usize::from(slot))?)?;
        map.nodes.get(usize::from(owner)).filter(|_| !map.doubted).cloned()
    }

    /// The node that keeps a slot, asked for if need be.
    pub(crate) async fn owner(&self, slot: u16, deadline: Instant) -> Result<Arc<Node>, Failure> {
        self.refresh(deadline).await?;
        self.known(slot).ok_or_else(|| {
            let kind = redis::ErrorKind::ClusterConnectionNotFound;
            Failure::Unreachable((kind, "no node of the cluster keeps this slot").into())
        })
    }

    /// All nodes that keep slots.
    pub(crate) async fn owners(&self, deadline: Instant) -> Result<Vec<Arc<Node>>, Failure> {
        self.refresh(deadline).await?;
        Ok(self.read().nodes.clone())
    }

    /// The node at an address that another node has named. It may be one that keeps no slot yet.
    pub(crate) fn at(&self, host: &str, port: u16) -> Arc<Node> {
        let addr = self.dialer.addr_of(host, port);
        let mut map = self.write();
        if let Some(node) = map.nodes.iter().chain(&map.others).find(|node| node.addr == addr) {
            return Arc::clone(node);
        }
        let node = Node::new(&self.dialer, addr, &self.lines);
        map.others.push(Arc::clone(&node));
        node
    }

    /// Takes note that the map may be wrong.
    pub(crate) fn doubt(&self) {
        self.write().doubted = true;
    }

    /// Asks the nodes for a map, all at once: the first that knows one is believed.
    async fn refresh(&self, deadline: Instant) -> Result<(), Failure> {
        let edition = self.read().edition;
        let _only_one_asks = self.asking.lock().await;
        if self.read().edition != edition {
            return Ok(());
        }
        let mut answers = JoinSet::new();
        let nodes = self.read().nodes.clone();
        for node in nodes.iter().chain(&self.seeds) {
            let node = Arc::clone(node);
            answers.spawn(async move {
                let mut question = redis::cmd("CLUSTER");
                question.arg("SLOTS");
                let answer = node.line.send(&question, deadline).await?;
                Ok((node, answer))
            });
        }
        let mut failure = Failure::Timeout;
        while let Some(answer) = answers.join_next().await {
            match answer {
                Ok(Ok((node, answer))) => match read(&answer, &node.addr) {
                    Some(ranges) => {
                        self.draw(ranges);
                        return Ok(());
                    }
                    None => failure = Failure::Nonsense,
                },
                Ok(Err(other)) => failure = other,
                Err(_) => {}
            }
        }
        Err(failure)
    }

    fn draw(&self, ranges: Vec<Range>) {
        let mut map = self.write();
        let known = map
            .nodes
            .iter()
            .chain(&map.others)
            .map(|node| (node.addr.to_string(), Arc::clone(node)));
        let mut known: HashMap<_, _> = known.collect();
        let mut owners = vec![None; usize::from(SLOTS)];
        let mut nodes: Vec<Arc<Node>> = Vec::new();
        for range in ranges {
            let addr = self.dialer.addr_of(&range.host, range.port);
            let index = nodes.iter().position(|node| node.addr == addr).unwrap_or_else(|| {
                let node = known.remove(&addr.to_string());
                nodes.push(node.unwrap_or_else(|| Node::new(&self.dialer, addr, &self.lines)));
                nodes.len() - 1
            });
            if let Some(slots) = owners.get_mut(usize::from(range.first)..=usize::from(range.last)) {
                slots.fill(u16::try_from(index).ok());
            }
        }
        *map = Map {
            owners,
            nodes,
            others: Vec::new(),
            edition: map.edition + 1,
            doubted: false,
        };
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Map> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Map> {
        self.map.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Slots that one node keeps.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    first: u16,
    last: u16,
    host: String,
    port: u16,
}

/// Reads the answer to CLUSTER SLOTS: lists of a first slot, a last slot, the primary and its replicas. A node that
/// does not know its own address leaves it out; then it is the one it was reached at.
fn read(answer: &Value, from: &ConnectionAddr) -> Option<Vec<Range>> {
    let Value::Array(ranges) = answer else { return None };
    let ranges = ranges.iter().map(|range| {
        let Value::Array(parts) = range else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = parts.as_slice() else {
            return None;
        };
        let [host, Value::Int(port), ..] = primary.as_slice() else {
            return None;
        };
        let host = match host {
            Value::BulkString(host) if !host.is_empty() => String::from_utf8(host.clone()).ok()?,
            _ => host_of(from)?.to_owned(),
        };
        Some(Range {
            first: u16::try_from(*first).ok()?,
            last: u16::try_from(*last).ok()?,
            host,
            port: u16::try_from(*port).ok()?,
        })
    });
    ranges.collect::<Option<Vec<_>>>().filter(|ranges| !ranges.is_empty())
}

/// The host of an address; a Unix socket has none.
pub(crate) fn host_of(addr: &ConnectionAddr) -> Option<&str> {
    match addr {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => Some(host),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use redis::Value::{Array, BulkString, Int, Nil};

    use super::*;

    #[test]
    fn the_map_is_read_and_a_missing_host_is_the_one_that_answers() {
        let node = |host: Value, port| Array(vec![host, Int(port), BulkString(b"id".to_vec())]);
        let answer = Array(vec![
            Array(vec![
                Int(0),
                Int(99),
                node(BulkString(b"10.0.0.1".to_vec()), 7_000),
                node(Nil, 7_003),
            ]),
            Array(vec![Int(100), Int(16_383), node(BulkString(vec![]), 7_001)]),
        ]);
        let from = ConnectionAddr::Tcp("10.0.0.2".into(), 7_001);
        let range = |first, last, host: &str, port| Range {
            first,
            last,
            host: host.into(),
            port,
        };
        let expected = vec![range(0, 99, "10.0.0.1", 7_000), range(100, 16_383, "10.0.0.2", 7_001)];
        assert_eq!(read(&answer, &from), Some(expected));
        assert_eq!(read(&Array(vec![]), &from), None);
        assert_eq!(read(&Array(vec![Int(1)]), &from), None);
        assert_eq!(read(&Nil, &from), None);
    }
}
