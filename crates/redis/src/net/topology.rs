//! [`Topology`]: the servers as they are arranged, and [`TopologyConfig`], by which they are reached.

use std::sync::Arc;

use super::{Cluster, Connector, Node, OnMessage, Sentinel};

/// The servers as they are arranged, with connections of their own.
pub(crate) enum Topology {
    Single(Arc<Node>),
    Sentinel(Arc<Sentinel>),
    Cluster(Arc<Cluster>),
}

/// The settings of a [`Topology`], after validation.
pub(crate) enum TopologyConfig {
    Single(Connector),
    Sentinel {
        sentinels: Vec<Connector>,
        name: String,
        primary: Connector,
    },
    Cluster {
        seeds: Vec<Connector>,
        nodes: Connector,
    },
}

impl TopologyConfig {
    /// Creates the servers. Connections are made when they are needed, and their messages go to `on_message`.
    pub(crate) fn build(&self, on_message: Arc<dyn OnMessage>) -> Topology {
        match self {
            Self::Single(connector) => Topology::Single(Node::new(connector, connector.addr(), &on_message)),
            Self::Sentinel {
                sentinels,
                name,
                primary,
            } => {
                let sentinels = sentinels
                    .iter()
                    .map(|connector| connector.connection(connector.addr(), None));
                let sentinels = sentinels.collect();
                Topology::Sentinel(Sentinel::new(sentinels, name.clone(), primary.clone(), on_message))
            }
            Self::Cluster { seeds, nodes } => {
                let seeds = seeds.iter().map(Connector::addr).collect();
                Topology::Cluster(Cluster::new(nodes.clone(), seeds, on_message))
            }
        }
    }
}
