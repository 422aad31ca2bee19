//! [`Cluster`]: many primaries, each with a part of the slots, and the map that says which.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::ConnectionAddr;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::map::{self, Map, Range, host_of};
use super::refresh::{self, Learns, Refresh};
use super::{Dialer, Node};
use crate::error::Failure;
use crate::wait::Lines;

/// How long one node may take to tell the map before another is asked as well.
const HEAD_START: Duration = Duration::from_millis(100);

/// Knows which node keeps which slot, and learns it anew when that changes.
///
/// Doubt is about one node, and concerns its slots only: whatever becomes of one, the slots of the others are served
/// from the map that there is. A new one is asked for in the background, at most a few times a second, and waited for
/// only where the present one does not help.
#[derive(Debug)]
pub(crate) struct Cluster {
    dialer: Dialer,
    lines: Arc<Lines>,
    /// The nodes to ask for a map when no other knows one.
    seeds: Vec<Arc<Node>>,
    map: RwLock<Map>,
    refresh: Refresh,
    /// Counts the maps that were asked for, so that not always the same node is asked.
    asked: AtomicUsize,
}

impl Cluster {
    pub(crate) fn new(dialer: Dialer, seeds: Vec<ConnectionAddr>, lines: Arc<Lines>) -> Arc<Self> {
        Arc::new(Self {
            seeds: seeds.into_iter().map(|addr| Node::new(&dialer, addr, &lines)).collect(),
            dialer,
            lines,
            map: RwLock::default(),
            refresh: Refresh::default(),
            asked: AtomicUsize::new(0),
        })
    }

    /// The node that keeps a slot, if that is known and there is no doubt about it.
    pub(crate) fn known(&self, slot: u16) -> Option<Arc<Node>> {
        self.read().owner(slot).filter(|node| !node.is_doubted()).cloned()
    }

    /// The node that keeps a slot, after all that can be learnt about it.
    pub(crate) async fn owner(self: &Arc<Self>, slot: u16, deadline: Instant) -> Result<Arc<Node>, Failure> {
        let learnt = refresh::fresh(self, deadline).await;
        if let Some(node) = self.read().owner(slot) {
            // In doubt or not, and whether there was news or not: there is no better one.
            return Ok(Arc::clone(node));
        }
        learnt?;
        let kind = redis::ErrorKind::ClusterConnectionNotFound;
        Err(Failure::Unreachable(
            (kind, "no node of the cluster keeps this slot").into(),
        ))
    }

    /// All nodes that keep slots: those that are known, or after asking anew.
    pub(crate) async fn owners(self: &Arc<Self>, anew: bool, deadline: Instant) -> Result<Vec<Arc<Node>>, Failure> {
        let known = self.read().owners();
        if !anew && !known.is_empty() && !known.iter().any(|node| node.is_doubted()) {
            return Ok(known);
        }
        refresh::fresh(self, deadline).await?;
        Ok(self.read().owners())
    }

    /// The node at an address that another node has named, with its host or without. It may be one that keeps no slot
    /// yet.
    pub(crate) fn at(&self, host: &str, port: u16, from: &Node) -> Option<Arc<Node>> {
        let addr = self.addr_of(Some(host), port, from)?;
        Some(self.write().at(&addr, || self.node(addr.clone())).1)
    }

    /// Takes note that a slot has moved to this node, and that others may have moved as well.
    pub(crate) fn moved(self: &Arc<Self>, slot: u16, to: &Node) {
        {
            let mut map = self.write();
            let (owner, _) = map.at(&to.addr, || self.node(to.addr.clone()));
            map.give(slot, owner);
        }
        refresh::want(self);
    }

    /// Takes note that a node may not be there, or not be the right one, any longer.
    pub(crate) fn doubt(self: &Arc<Self>, node: &Node) {
        node.doubt(true);
        refresh::want(self);
    }

    fn node(&self, addr: ConnectionAddr) -> Arc<Node> {
        Node::new(&self.dialer, addr, &self.lines)
    }

    /// The address of a node that this one has named.
    fn addr_of(&self, host: Option<&str>, port: u16, from: &Node) -> Option<ConnectionAddr> {
        match host.filter(|host| map::names(host)) {
            Some(host) => Some(self.dialer.addr_of(host, port)),
            None => Some(self.dialer.addr_of(host_of(&from.addr)?, port)),
        }
    }

    /// Whom to ask for a map, the best first: a node that has failed, or that is no longer one of those that keep
    /// slots, may tell the map of a time that is over.
    fn experts(&self) -> Vec<Arc<Node>> {
        let mut owners = self.read().owners();
        if !owners.is_empty() {
            let turn = self.asked.fetch_add(1, Ordering::Relaxed) % owners.len();
            owners.rotate_left(turn);
        }
        // It keeps the order of those that are equal.
        owners.sort_by_key(|node| node.is_doubted());
        let known = |seed: &&Arc<Node>| owners.iter().any(|node| node.addr == seed.addr);
        let (_, strangers): (Vec<_>, Vec<_>) = self.seeds.iter().partition(known);
        owners.into_iter().chain(strangers.into_iter().cloned()).collect()
    }

    async fn ask(self: Arc<Self>, node: Arc<Node>, deadline: Instant) -> Result<(Arc<Node>, Vec<Range>), Failure> {
        let mut question = redis::cmd("CLUSTER");
        question.arg("SLOTS");
        let answer = node.line().send(&question, deadline).await?;
        let addr_of = |host: Option<&str>, port| self.addr_of(host, port, &node);
        let ranges = map::read(&answer, addr_of).ok_or(Failure::Nonsense)?;
        Ok((node, ranges))
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Map> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Map> {
        self.map.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Learns for Cluster {
    fn refresh(&self) -> &Refresh {
        &self.refresh
    }

    fn limit(&self) -> Duration {
        self.dialer.timeout()
    }

    /// Asks one node after the other, without waiting long for any, until one has told its map. That of a node that
    /// has failed before is taken only if no other tells one.
    async fn learn(self: Arc<Self>) -> Result<(), Failure> {
        let deadline = Instant::now() + self.dialer.timeout();
        let mut experts = self.experts().into_iter().peekable();
        let mut answers = JoinSet::new();
        let (mut failure, mut second_best) = (Failure::Timeout, None);
        loop {
            if let Some(node) = experts.next() {
                answers.spawn(Arc::clone(&self).ask(node, deadline));
            }
            let others = experts.peek().is_some();
            let patience = match others || second_best.is_some() {
                true => HEAD_START,
                false => self.dialer.timeout(),
            };
            match timeout(patience, answers.join_next()).await {
                Ok(Some(Ok(Ok((node, ranges))))) if !node.is_doubted() => {
                    self.write().draw(&node, ranges, |addr| self.node(addr));
                    return Ok(());
                }
                Ok(Some(Ok(Ok(told)))) => second_best = Some(told),
                Ok(Some(Ok(Err(other)))) => failure = other,
                Ok(Some(Err(_))) => {}
                Ok(None) | Err(_) if others => {}
                Ok(None) | Err(_) => break,
            }
        }
        let (node, ranges) = second_best.ok_or(failure)?;
        self.write().draw(&node, ranges, |addr| self.node(addr));
        Ok(())
    }
}
