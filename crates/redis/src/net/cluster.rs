//! [`Cluster`]: several primaries, each of which owns a part of the slots.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::ConnectionAddr;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::refresh::{self, Refresh, Refreshable};
use super::slot_map::{self, Range, SlotMap, host_of};
use super::{Connector, Node, OnMessage};
use crate::error::Failure;

/// The time after which another node is asked for the slot map as well.
const HEAD_START: Duration = Duration::from_millis(100);

/// Keeps the map from slots to nodes, and refreshes it when it changes.
///
/// Staleness is a property of one node, and concerns its slots only: the slots of the other nodes are served by the
/// present map. A new map is requested in the background, at most a few times a second. Calls wait for it only if the
/// present one does not help.
pub(crate) struct Cluster {
    connector: Connector,
    on_message: Arc<dyn OnMessage>,
    /// The nodes to ask for a map when no other node has one.
    seeds: Vec<Arc<Node>>,
    map: RwLock<SlotMap>,
    refresh: Refresh,
    /// The number of maps requested so far, to ask the nodes in turn.
    requests: AtomicUsize,
}

impl Cluster {
    pub(crate) fn new(connector: Connector, seeds: Vec<ConnectionAddr>, on_message: Arc<dyn OnMessage>) -> Arc<Self> {
        Arc::new(Self {
            seeds: seeds
                .into_iter()
                .map(|addr| Node::new(&connector, addr, &on_message))
                .collect(),
            connector,
            on_message,
            map: RwLock::default(),
            refresh: Refresh::default(),
            requests: AtomicUsize::new(0),
        })
    }

    /// Returns the owner of a slot, if it is known and not stale.
    pub(crate) fn known_owner(&self, slot: u16) -> Option<Arc<Node>> {
        self.read().owner(slot).filter(|node| !node.is_stale()).cloned()
    }

    /// Returns the owner of a slot after a refresh of the map.
    pub(crate) async fn owner(self: &Arc<Self>, slot: u16, deadline: Instant) -> Result<Arc<Node>, Failure> {
        let loaded = refresh::request_and_wait(self, deadline).await;
        if let Some(node) = self.read().owner(slot) {
            // Returned even if it is stale or the refresh failed: no better node is known.
            return Ok(Arc::clone(node));
        }
        loaded?;
        let kind = redis::ErrorKind::ClusterConnectionNotFound;
        Err(Failure::Unreachable(
            (kind, "no node of the cluster keeps this slot").into(),
        ))
    }

    /// Returns all nodes that own slots. Refreshes the map first if `refresh` is set, or any of them is stale.
    pub(crate) async fn owners(self: &Arc<Self>, refresh: bool, deadline: Instant) -> Result<Vec<Arc<Node>>, Failure> {
        let known = self.read().owners();
        if !refresh && !known.is_empty() && !known.iter().any(|node| node.is_stale()) {
            return Ok(known);
        }
        refresh::request_and_wait(self, deadline).await?;
        Ok(self.read().owners())
    }

    /// Returns the node at an address that another node has announced, with or without its host. It may not own a slot
    /// yet.
    pub(crate) fn node_at(&self, host: &str, port: u16, from: &Node) -> Option<Arc<Node>> {
        let addr = self.addr_of(Some(host), port, from)?;
        Some(self.write().get_or_insert(&addr, || self.node(addr.clone())).1)
    }

    /// Records that a slot has moved to this node, and refreshes the map because others may have moved as well.
    pub(crate) fn slot_moved(self: &Arc<Self>, slot: u16, to: &Node) {
        {
            let mut map = self.write();
            let (owner, _) = map.get_or_insert(&to.addr, || self.node(to.addr.clone()));
            map.assign(slot, owner);
        }
        refresh::request(self);
    }

    /// Marks a node as stale, and refreshes the map: the node may have failed, or lost its slots.
    pub(crate) fn mark_stale(self: &Arc<Self>, node: &Node) {
        node.set_stale(true);
        refresh::request(self);
    }

    fn node(&self, addr: ConnectionAddr) -> Arc<Node> {
        Node::new(&self.connector, addr, &self.on_message)
    }

    /// Returns the address of a node that `from` has announced.
    fn addr_of(&self, host: Option<&str>, port: u16, from: &Node) -> Option<ConnectionAddr> {
        let announced = host.filter(|host| slot_map::is_host(host));
        Some(self.connector.addr_of(announced.or_else(|| host_of(&from.addr))?, port))
    }

    /// Returns the nodes to ask for a map, the best first. A node that has failed, or that owns no slots any more, may
    /// have an outdated map.
    fn candidates(&self) -> Vec<Arc<Node>> {
        let mut owners = self.read().owners();
        if !owners.is_empty() {
            let first = self.requests.fetch_add(1, Ordering::Relaxed) % owners.len();
            owners.rotate_left(first);
        }
        // The sort is stable, so the rotation is kept.
        owners.sort_by_key(|node| node.is_stale());
        let known = |seed: &&Arc<Node>| owners.iter().any(|node| node.addr == seed.addr);
        let (_, others): (Vec<_>, Vec<_>) = self.seeds.iter().partition(known);
        owners.into_iter().chain(others.into_iter().cloned()).collect()
    }

    async fn load_from(
        self: Arc<Self>,
        node: Arc<Node>,
        deadline: Instant,
    ) -> Result<(Arc<Node>, Vec<Range>), Failure> {
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let reply = node.connection().send(&command, deadline).await?;
        let addr_of = |host: Option<&str>, port| self.addr_of(host, port, &node);
        let ranges = slot_map::read(&reply, addr_of).ok_or(Failure::UnexpectedReply)?;
        Ok((node, ranges))
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, SlotMap> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, SlotMap> {
        self.map.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refreshable for Cluster {
    fn refresh(&self) -> &Refresh {
        &self.refresh
    }

    fn limit(&self) -> Duration {
        self.connector.timeout
    }

    /// Asks one node after the other, with a short wait for each, until one returns its map. The map of a stale node is
    /// used only if no other node returns one.
    async fn load(self: Arc<Self>) -> Result<(), Failure> {
        let deadline = Instant::now() + self.connector.timeout;
        let mut candidates = self.candidates().into_iter().peekable();
        let mut replies = JoinSet::new();
        let (mut failure, mut fallback) = (Failure::Timeout, None);
        loop {
            if let Some(node) = candidates.next() {
                replies.spawn(Arc::clone(&self).load_from(node, deadline));
            }
            let others = candidates.peek().is_some();
            let patience = match others || fallback.is_some() {
                true => HEAD_START,
                false => self.connector.timeout,
            };
            match timeout(patience, replies.join_next()).await {
                Ok(Some(Ok(Ok((node, ranges))))) if !node.is_stale() => {
                    self.write().update_from(&node, ranges, |addr| self.node(addr));
                    return Ok(());
                }
                Ok(Some(Ok(Ok(slots)))) => fallback = Some(slots),
                Ok(Some(Ok(Err(other)))) => failure = other,
                Ok(Some(Err(_))) => {}
                Ok(None) | Err(_) if others => {}
                Ok(None) | Err(_) => break,
            }
        }
        let (node, ranges) = fallback.ok_or(failure)?;
        self.write().update_from(&node, ranges, |addr| self.node(addr));
        Ok(())
    }
}
