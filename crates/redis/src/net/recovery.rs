//! The recovery from failures of a command.

use std::sync::Arc;

use redis::{ServerError, ServerErrorKind};

use super::{Idempotency, Node, Router, Topology};
use crate::error::Failure;

/// The next step after a failure.
pub(super) enum Recovery {
    /// Send the script's source instead of its digest.
    SendSource,
    /// Send the command to this node, after ASKING if the flag is set.
    Redirect(Arc<Node>, bool),
    /// Send the command again after a pause.
    RetryLater,
    /// Send the command again, once, to the server that is responsible now.
    RetryElsewhere,
    /// Do the same, and after that send it again after pauses.
    RetryElsewhereThenLater,
    /// Return the failure.
    None,
}

impl Router {
    /// Returns the recovery from a failure.
    pub(super) fn recovery(&self, failure: &Failure, node: &Arc<Node>, idempotency: Idempotency) -> Recovery {
        use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, NoScript, ReadOnly, TryAgain};
        match failure {
            Failure::Refused(error) => match error.kind() {
                Some(NoScript) => Recovery::SendSource,
                Some(Moved | Ask) => self.redirect(error, node),
                // The keys are on different nodes. The caller can repeat the command with fewer keys.
                Some(TryAgain) => Recovery::None,
                // Nothing was done, and the server or its replacement will be available.
                Some(BusyLoading | ClusterDown) => {
                    self.mark_stale(node);
                    Recovery::RetryLater
                }
                // The connection was discarded with this reply. A new one may lead to another server.
                Some(ReadOnly | MasterDown) => {
                    self.mark_stale(node);
                    Recovery::RetryElsewhereThenLater
                }
                _ => Recovery::None,
            },
            Failure::Unreachable(_) => self.mark_stale(node),
            Failure::Broken(_) => {
                self.mark_stale(node);
                match idempotency {
                    Idempotency::Idempotent => Recovery::RetryElsewhere,
                    Idempotency::NotIdempotent => Recovery::None,
                }
            }
            Failure::Timeout => {
                self.mark_stale(node);
                Recovery::None
            }
            Failure::Setup(_) | Failure::Shortfall(_) | Failure::Forbidden(_) | Failure::UnexpectedReply => {
                Recovery::None
            }
        }
    }

    /// Returns the redirection of MOVED or ASK.
    fn redirect(&self, error: &ServerError, from: &Node) -> Recovery {
        let Topology::Cluster(cluster) = &self.topology else {
            return Recovery::None;
        };
        let target = error.details().and_then(|details| {
            let (slot, addr) = details.split_once(' ')?;
            let (host, port) = addr.rsplit_once(':')?;
            let node = cluster.node_at(host, port.parse().ok()?, from)?;
            Some((slot.parse().ok()?, node))
        });
        let Some((slot, node)) = target else {
            return Recovery::None;
        };
        let asking = error.kind() == Some(ServerErrorKind::Ask);
        if !asking {
            cluster.slot_moved(slot, &node);
        }
        Recovery::Redirect(node, asking)
    }

    /// Marks a node as stale. If there are several, another may be responsible.
    fn mark_stale(&self, node: &Arc<Node>) -> Recovery {
        match &self.topology {
            Topology::Single(_) => return Recovery::None,
            Topology::Sentinel(sentinel) => sentinel.mark_stale(node),
            Topology::Cluster(cluster) => cluster.mark_stale(node),
        }
        Recovery::RetryElsewhere
    }
}
