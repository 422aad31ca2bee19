//! [`RedisCluster`]: three primaries, each with a replica.

use std::time::Duration;

use super::{RedisServer, Reply, wait_until};

const PRIMARIES: usize = 3;
const SLOTS: usize = 16_384;

/// A cluster of three primaries and three replicas, which detects a lost node within a second.
///
/// # Panics
///
/// Every function panics with a description when it fails.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts a cluster.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a cluster with these lines in the configuration of every node.
    #[must_use]
    pub fn start_with(config: &[&str]) -> Self {
        let nodes: Vec<_> = (0..2 * PRIMARIES)
            .map(|_| {
                let bus = format!("cluster-port {}", super::server::free_port());
                let mut lines = vec![
                    "cluster-enabled yes",
                    &bus,
                    "cluster-node-timeout 1000",
                    "repl-diskless-sync-delay 0",
                ];
                lines.extend(config);
                RedisServer::start_with(&lines)
            })
            .collect();
        let cluster = Self { nodes };
        for (index, node) in cluster.nodes[..PRIMARIES].iter().enumerate() {
            let (first, last) = (index * SLOTS / PRIMARIES, (index + 1) * SLOTS / PRIMARIES - 1);
            ok(&node.command(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]));
            ok(&node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]));
        }
        for node in &cluster.nodes[1..] {
            let bus = node.command(&["CONFIG", "GET", "cluster-port"]).items()[1].text();
            ok(&cluster.nodes[0].command(&["CLUSTER", "MEET", "127.0.0.1", &node.port().to_string(), &bus]));
        }
        for index in 0..PRIMARIES {
            let (id, replica) = (cluster.id(index), &cluster.nodes[PRIMARIES + index]);
            wait_until("the nodes have met", || {
                replica.command(&["CLUSTER", "REPLICATE", &id]).text() == "OK"
            });
        }
        cluster.wait_until_whole();
        cluster
    }

    /// Returns the connection URLs of all nodes.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// Returns the nodes. At first, the first three are primaries, and each other node is the replica of the node three
    /// positions before it.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// Returns the nodes mutably, to kill and restart them.
    pub fn nodes_mut(&mut self) -> &mut [RedisServer] {
        &mut self.nodes
    }

    /// Returns the index of the primary of a slot, according to the nodes that respond.
    #[must_use]
    pub fn owner(&self, slot: u16) -> usize {
        let node = self
            .nodes
            .iter()
            .find(|node| node.responds())
            .expect("a node that responds");
        let ranges = node.command(&["CLUSTER", "SLOTS"]);
        let owner = ranges.items().iter().find_map(|range| match range.items() {
            [Reply::Int(first), Reply::Int(last), primary, ..] if (*first..=*last).contains(&i64::from(slot)) => {
                let port = primary.items()[1].text();
                self.nodes.iter().position(|node| node.port().to_string() == port)
            }
            _ => None,
        });
        owner.unwrap_or_else(|| panic!("no node serves slot {slot}: {ranges:?}"))
    }

    /// Waits until all slots are served, all running nodes agree, and the replicas follow.
    pub fn wait_until_whole(&self) {
        wait_until("the cluster is whole", || {
            let running = || self.nodes.iter().filter(|node| node.responds());
            let owners = |node: &RedisServer| {
                let mut ranges: Vec<_> = node
                    .command(&["CLUSTER", "SLOTS"])
                    .items()
                    .iter()
                    .map(|range| {
                        let range = range.items();
                        (range[0].text(), range[1].text(), range[2].items()[1].text())
                    })
                    .collect();
                ranges.sort();
                ranges
            };
            let maps: Vec<_> = running().map(owners).collect();
            maps.windows(2).all(|pair| pair[0] == pair[1])
                && running().all(|node| {
                    let state = node.command(&["CLUSTER", "INFO"]).text();
                    let follows = node.info("replication", "master_link_status");
                    state.contains("cluster_state:ok") && follows.is_none_or(|status| status == "up")
                })
        });
    }

    /// Moves a slot with its keys, one at a time as an operator would, with a pause after each key.
    pub fn move_slot(&self, slot: u16, to: usize, pause: Duration) {
        let from = self.owner(slot);
        self.open_slot(slot, from, to);
        self.finish_slot(slot, from, to, pause);
    }

    /// Moves the remaining keys of a migrating slot, with a pause after each key, and completes the migration.
    pub fn finish_slot(&self, slot: u16, from: usize, to: usize, pause: Duration) {
        while self.move_key(slot, from, to) {
            std::thread::sleep(pause);
        }
        self.close_slot(slot, from, to);
    }

    /// Starts to migrate a slot, moves some of its keys, and leaves it open, like an interrupted command of an
    /// operator.
    pub fn leave_slot_open(&self, slot: u16, from: usize, to: usize, keys: usize) {
        self.open_slot(slot, from, to);
        for _ in 0..keys {
            self.move_key(slot, from, to);
        }
    }

    /// Moves one key of a migrating slot, if one is left.
    fn move_key(&self, slot: u16, from: usize, to: usize) -> bool {
        let keys = self.nodes[from].command(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), "1"]);
        let Some(key) = keys.items().first() else { return false };
        let Reply::Text(key) = key else {
            panic!("a key was expected: {key:?}")
        };
        let port = self.nodes[to].port().to_string();
        let moved = self.nodes[from].command_bytes(&[b"MIGRATE", b"127.0.0.1", port.as_bytes(), key, b"0", b"5000"]);
        // An expired key cannot be moved and need not be.
        assert!(["OK", "NOKEY"].contains(&moved.text().as_str()), "{moved:?}");
        true
    }

    /// Starts to migrate a slot: the old node redirects requests for missing keys to the new one.
    pub fn open_slot(&self, slot: u16, from: usize, to: usize) {
        let (slot, nodes) = (slot.to_string(), &self.nodes);
        ok(&nodes[to].command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.id(from)]));
        ok(&nodes[from].command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.id(to)]));
    }

    /// Completes the migration of a slot.
    pub fn close_slot(&self, slot: u16, from: usize, to: usize) {
        let (slot, id) = (slot.to_string(), self.id(to));
        for node in [to, from] {
            ok(&self.nodes[node].command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]));
        }
        // Other nodes would learn of it by gossip. Replicas refuse the command and do not need it.
        let others = self.nodes.iter().enumerate();
        for (_, node) in others.filter(|(index, node)| ![to, from].contains(index) && node.responds()) {
            node.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
        }
    }

    fn id(&self, node: usize) -> String {
        self.nodes[node].command(&["CLUSTER", "MYID"]).text()
    }
}

#[track_caller]
fn ok(reply: &Reply) {
    assert_eq!(reply.text(), "OK", "{reply:?}");
}
