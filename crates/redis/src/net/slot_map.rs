//! [`SlotMap`]: the known owner of each slot.

use std::sync::Arc;

use redis::{ConnectionAddr, Value};

use super::Node;
use super::slot::SLOTS;

/// The known owner of each slot.
#[derive(Default)]
pub(super) struct SlotMap {
    /// The owner of each slot, as an index of `nodes`; empty if no map was loaded yet.
    owners: Vec<Option<u16>>,
    /// The nodes that own slots, and others that were announced since the map was loaded.
    nodes: Vec<Arc<Node>>,
}

impl SlotMap {
    /// Returns the owner of a slot.
    pub(super) fn owner(&self, slot: u16) -> Option<&Arc<Node>> {
        let owner = (*self.owners.get(usize::from(slot))?)?;
        self.nodes.get(usize::from(owner))
    }

    /// Returns the nodes that own slots.
    pub(super) fn owners(&self) -> Vec<Arc<Node>> {
        let mut keeps = vec![false; self.nodes.len()];
        for owner in self.owners.iter().flatten() {
            if let Some(keeps) = keeps.get_mut(usize::from(*owner)) {
                *keeps = true;
            }
        }
        let nodes = self.nodes.iter().zip(keeps);
        nodes
            .filter(|(_, keeps)| *keeps)
            .map(|(node, _)| Arc::clone(node))
            .collect()
    }

    /// Returns the node at an address, and its index. Creates it if it is not known.
    pub(super) fn get_or_insert(
        &mut self,
        addr: &ConnectionAddr,
        make: impl FnOnce() -> Arc<Node>,
    ) -> (u16, Arc<Node>) {
        let index = self.nodes.iter().position(|node| node.addr == *addr);
        let index = index.unwrap_or_else(|| {
            self.nodes.push(make());
            self.nodes.len() - 1
        });
        (u16::try_from(index).unwrap_or(u16::MAX), Arc::clone(&self.nodes[index]))
    }

    /// Records that a node owns a slot.
    pub(super) fn assign(&mut self, slot: u16, owner: u16) {
        if let Some(known) = self.owners.get_mut(usize::from(slot)) {
            *known = Some(owner);
        }
    }

    /// Updates the map with the reply of one node. `make` creates nodes that were not known.
    ///
    /// The reply replaces the known owner of each slot that it contains. Other slots keep their owner, unless that is
    /// stale or is the node that replied: a node that has just started, or that is partitioned, may not know the other
    /// owners. A node that no longer owns a slot says so itself when it gets a command about it.
    pub(super) fn update_from(&mut self, from: &Node, ranges: Vec<Range>, make: impl Fn(ConnectionAddr) -> Arc<Node>) {
        let previous = std::mem::take(self);
        let mut updated = Self {
            owners: vec![None; usize::from(SLOTS)],
            nodes: Vec::new(),
        };
        let known = |addr: &ConnectionAddr| previous.nodes.iter().find(|node| node.addr == *addr).cloned();
        for range in ranges {
            let addr = range.addr;
            let (index, _) = updated.get_or_insert(&addr, || known(&addr).unwrap_or_else(|| make(addr.clone())));
            if let Some(slots) = updated
                .owners
                .get_mut(usize::from(range.first)..=usize::from(range.last))
            {
                slots.fill(Some(index));
            }
        }
        for slot in 0..SLOTS {
            if updated.owners[usize::from(slot)].is_none()
                && let Some(owner) = previous.owner(slot)
                && owner.addr != from.addr
                && !owner.is_stale()
            {
                let (index, _) = updated.get_or_insert(&owner.addr, || Arc::clone(owner));
                updated.assign(slot, index);
            }
        }
        *self = updated;
    }
}

/// A range of slots with one owner.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Range {
    first: u16,
    last: u16,
    addr: ConnectionAddr,
}

/// Reads the reply to CLUSTER SLOTS: lists of a first slot, a last slot, the primary and its replicas. `addr_of` makes
/// an address of a host, if there is one, and a port.
pub(super) fn read(reply: &Value, addr_of: impl Fn(Option<&str>, u16) -> Option<ConnectionAddr>) -> Option<Vec<Range>> {
    let Value::Array(ranges) = reply else { return None };
    let ranges = ranges.iter().map(|range| {
        let Value::Array(parts) = range else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = parts.as_slice() else {
            return None;
        };
        let [host, Value::Int(port), ..] = primary.as_slice() else {
            return None;
        };
        let host = match host {
            Value::BulkString(host) => Some(std::str::from_utf8(host).ok()?),
            Value::SimpleString(host) => Some(host.as_str()),
            _ => None,
        };
        Some(Range {
            first: u16::try_from(*first).ok()?,
            last: u16::try_from(*last).ok()?,
            addr: addr_of(host.filter(|host| is_host(host)), u16::try_from(*port).ok()?)?,
        })
    });
    ranges.collect::<Option<Vec<_>>>().filter(|ranges| !ranges.is_empty())
}

/// Returns whether a node has announced a host. A node that does not know its host, or is not to announce it, omits it
/// or says `?`, which stands for the host at which the replying node was reached.
pub(super) fn is_host(host: &str) -> bool {
    !host.is_empty() && host != "?"
}

/// Returns the host of an address; a Unix socket has none.
pub(super) fn host_of(addr: &ConnectionAddr) -> Option<&str> {
    match addr {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => Some(host),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use redis::Value::{Array, BulkString, Int, Nil};

    use super::*;
    use crate::net::Connector;
    use crate::net::OnMessage;
    use crate::net::subscriber::Ignore;

    fn addr(host: &str, port: u16) -> ConnectionAddr {
        ConnectionAddr::Tcp(host.into(), port)
    }

    fn range(first: u16, last: u16, port: u16) -> Range {
        let addr = addr("10.0.0.1", port);
        Range { first, last, addr }
    }

    #[test]
    fn the_map_is_read_and_a_missing_host_is_that_of_the_replying_node() {
        let node = |host: Value, port| Array(vec![host, Int(port), BulkString(b"id".to_vec())]);
        let text = |text: &str| BulkString(text.into());
        let reply = Array(vec![
            Array(vec![Int(0), Int(99), node(text("10.0.0.1"), 7_000), node(Nil, 7_003)]),
            Array(vec![Int(100), Int(199), node(text(""), 7_001)]),
            Array(vec![Int(200), Int(299), node(text("?"), 7_002)]),
            Array(vec![Int(300), Int(16_383), node(Nil, 7_003)]),
        ]);
        let addr_of = |host: Option<&str>, port| Some(addr(host.unwrap_or("10.0.0.2"), port));
        let range = |first, last, host: &str, port| {
            let addr = addr(host, port);
            Range { first, last, addr }
        };
        let expected = vec![
            range(0, 99, "10.0.0.1", 7_000),
            range(100, 199, "10.0.0.2", 7_001),
            range(200, 299, "10.0.0.2", 7_002),
            range(300, 16_383, "10.0.0.2", 7_003),
        ];
        assert_eq!(read(&reply, addr_of), Some(expected));
        assert_eq!(read(&Array(vec![]), addr_of), None);
        assert_eq!(read(&Array(vec![Int(1)]), addr_of), None);
        assert_eq!(read(&Nil, addr_of), None);
    }

    #[test]
    fn an_incomplete_reply_keeps_the_slots_of_working_nodes() {
        let connector = Connector::new("redis://10.0.0.1", Duration::from_secs(1), &Arc::default()).unwrap();
        let on_message: Arc<dyn OnMessage> = Arc::new(Ignore);
        let make = |addr| Node::new(&connector, addr, &on_message);
        let owner = |map: &SlotMap, slot| map.owner(slot).map(|node| node.addr.clone());
        let node = |port| Some(addr("10.0.0.1", port));
        let mut map = SlotMap::default();
        let whole = || vec![range(0, 99, 1), range(100, 199, 2), range(200, 16_383, 3)];
        let (one, two) = (make(addr("10.0.0.1", 1)), make(addr("10.0.0.1", 2)));
        map.update_from(&one, whole(), make);
        assert_eq!((owner(&map, 0), owner(&map, 150)), (node(1), node(2)));

        // The node knows no other, and has lost a slot.
        map.update_from(&two, vec![range(101, 199, 2)], make);
        assert_eq!((owner(&map, 0), owner(&map, 16_383)), (node(1), node(3)));
        assert_eq!((owner(&map, 100), owner(&map, 101)), (None, node(2)));

        // Owners in the reply count; a slot whose owner is stale and not in the reply has no owner.
        map.update_from(&one, whole(), make);
        map.owner(16_383).unwrap().set_stale(true);
        map.update_from(&two, vec![range(50, 199, 2)], make);
        assert_eq!((owner(&map, 49), owner(&map, 50)), (node(1), node(2)));
        assert_eq!(owner(&map, 16_383), None);
    }
}
