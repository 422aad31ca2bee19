//! [`Map`]: which node keeps which slot, as far as is known.

use std::sync::Arc;

use redis::{ConnectionAddr, Value};

use super::Node;
use super::slot::SLOTS;

/// Which node keeps which slot.
#[derive(Debug, Default)]
pub(super) struct Map {
    /// The owner of each slot, as an index of `nodes`; empty if there is no map yet.
    owners: Vec<Option<u16>>,
    /// The nodes that keep slots, and others that were heard of since the map was drawn.
    nodes: Vec<Arc<Node>>,
}

impl Map {
    /// The node that keeps a slot.
    pub(super) fn owner(&self, slot: u16) -> Option<&Arc<Node>> {
        let owner = (*self.owners.get(usize::from(slot))?)?;
        self.nodes.get(usize::from(owner))
    }

    /// The nodes that keep slots.
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

    /// The node at an address; made, if there is none yet.
    pub(super) fn at(&mut self, addr: &ConnectionAddr, make: impl FnOnce() -> Arc<Node>) -> (u16, Arc<Node>) {
        let index = self.nodes.iter().position(|node| node.addr == *addr);
        let index = index.unwrap_or_else(|| {
            self.nodes.push(make());
            self.nodes.len() - 1
        });
        (u16::try_from(index).unwrap_or(u16::MAX), Arc::clone(&self.nodes[index]))
    }

    /// Takes note that a node keeps a slot.
    pub(super) fn give(&mut self, slot: u16, owner: u16) {
        if let Some(known) = self.owners.get_mut(usize::from(slot)) {
            *known = Some(owner);
        }
    }

    /// Draws the map anew from what one node has answered, with `make` for nodes that were not known.
    ///
    /// The answer about a slot replaces what was known of it. A slot that it does not name stays with its owner, as
    /// long as that one works and is not the node that answered: one that was just started, or that is cut off from
    /// the others, may not know them, and what it does not know is no news. A node that no longer owns a slot says so
    /// itself when it is asked for it.
    pub(super) fn draw(&mut self, from: &Node, ranges: Vec<Range>, make: impl Fn(ConnectionAddr) -> Arc<Node>) {
        let before = std::mem::take(self);
        let mut drawn = Self {
            owners: vec![None; usize::from(SLOTS)],
            nodes: Vec::new(),
        };
        let known = |addr: &ConnectionAddr| before.nodes.iter().find(|node| node.addr == *addr).cloned();
        for range in ranges {
            let addr = range.addr;
            let (index, _) = drawn.at(&addr, || known(&addr).unwrap_or_else(|| make(addr.clone())));
            if let Some(slots) = drawn.owners.get_mut(usize::from(range.first)..=usize::from(range.last)) {
                slots.fill(Some(index));
            }
        }
        for slot in 0..SLOTS {
            if drawn.owners[usize::from(slot)].is_none()
                && let Some(owner) = before.owner(slot)
                && owner.addr != from.addr
                && !owner.is_doubted()
            {
                let (index, _) = drawn.at(&owner.addr, || Arc::clone(owner));
                drawn.give(slot, index);
            }
        }
        *self = drawn;
    }
}

/// Slots that one node keeps.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Range {
    first: u16,
    last: u16,
    addr: ConnectionAddr,
}

/// Reads the answer to CLUSTER SLOTS: lists of a first slot, a last slot, the primary and its replicas. `addr_of`
/// makes an address of a host, if one is named, and a port.
pub(super) fn read(
    answer: &Value,
    addr_of: impl Fn(Option<&str>, u16) -> Option<ConnectionAddr>,
) -> Option<Vec<Range>> {
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
            Value::BulkString(host) => Some(std::str::from_utf8(host).ok()?),
            Value::SimpleString(host) => Some(host.as_str()),
            _ => None,
        };
        Some(Range {
            first: u16::try_from(*first).ok()?,
            last: u16::try_from(*last).ok()?,
            addr: addr_of(host.filter(|host| names(host)), u16::try_from(*port).ok()?)?,
        })
    });
    ranges.collect::<Option<Vec<_>>>().filter(|ranges| !ranges.is_empty())
}

/// Whether a host is one. A node that does not know its own, or is not to tell it, leaves it out or says `?`: then the
/// one that answers means the host at which it was reached.
pub(super) fn names(host: &str) -> bool {
    !host.is_empty() && host != "?"
}

/// The host of an address; a Unix socket has none.
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
    use crate::net::Dialer;
    use crate::wait::Lines;

    fn addr(host: &str, port: u16) -> ConnectionAddr {
        ConnectionAddr::Tcp(host.into(), port)
    }

    fn range(first: u16, last: u16, port: u16) -> Range {
        let addr = addr("10.0.0.1", port);
        Range { first, last, addr }
    }

    #[test]
    fn the_map_is_read_and_a_missing_host_is_the_one_that_answers() {
        let node = |host: Value, port| Array(vec![host, Int(port), BulkString(b"id".to_vec())]);
        let text = |text: &str| BulkString(text.into());
        let answer = Array(vec![
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
        assert_eq!(read(&answer, addr_of), Some(expected));
        assert_eq!(read(&Array(vec![]), addr_of), None);
        assert_eq!(read(&Array(vec![Int(1)]), addr_of), None);
        assert_eq!(read(&Nil, addr_of), None);
    }

    #[test]
    fn what_a_node_does_not_know_takes_nothing_from_those_that_work() {
        let dialer = Dialer::new("redis://10.0.0.1", Duration::from_secs(1), &Arc::default()).unwrap();
        let lines = Lines::new(1, Box::new(|_, _| ()));
        let make = |addr| Node::new(&dialer, addr, &lines);
        let owner = |map: &Map, slot| map.owner(slot).map(|node| node.addr.clone());
        let node = |port| Some(addr("10.0.0.1", port));
        let mut map = Map::default();
        let whole = || vec![range(0, 99, 1), range(100, 199, 2), range(200, 16_383, 3)];
        let (one, two) = (make(addr("10.0.0.1", 1)), make(addr("10.0.0.1", 2)));
        map.draw(&one, whole(), make);
        assert_eq!((owner(&map, 0), owner(&map, 150)), (node(1), node(2)));

        // It knows nobody, and has lost a slot.
        map.draw(&two, vec![range(101, 199, 2)], make);
        assert_eq!((owner(&map, 0), owner(&map, 16_383)), (node(1), node(3)));
        assert_eq!((owner(&map, 100), owner(&map, 101)), (None, node(2)));

        // Owners that are named count; a slot whose owner has failed and is not named is nobody's.
        map.draw(&one, whole(), make);
        map.owner(16_383).unwrap().doubt(true);
        map.draw(&two, vec![range(50, 199, 2)], make);
        assert_eq!((owner(&map, 49), owner(&map, 50)), (node(1), node(2)));
        assert_eq!(owner(&map, 16_383), None);
    }
}
