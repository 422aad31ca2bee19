//! Remedies for failures on the way to a server.

use std::sync::Arc;

use redis::{ServerError, ServerErrorKind};

use super::{Again, Fleet, Net, Node};
use crate::error::Failure;

/// A remedy for a failure.
pub(super) enum Remedy {
    /// Send the script itself instead of its digest.
    SpellOut,
    /// Send it to this node, as one that has been told to ask or as any other.
    Redirect(Arc<Node>, bool),
    /// Send it again a little later.
    Wait,
    /// Send it again, once, to the server that is in charge now.
    Elsewhere,
    /// The same, and after that a little later again.
    ElsewhereThenWait,
    /// Nothing.
    None,
}

impl Net {
    /// Returns the remedy for a failure.
    pub(super) fn remedy(&self, failure: &Failure, node: &Arc<Node>, again: Again) -> Remedy {
        use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, NoScript, ReadOnly, TryAgain};
        match failure {
            Failure::Refused(error) => match error.kind() {
                Some(NoScript) => Remedy::SpellOut,
                Some(Moved | Ask) => self.redirect(error, node),
                // The keys are at different places. The caller can do with fewer.
                Some(TryAgain) => Remedy::None,
                // It will be there, or another in its place, and nothing was done.
                Some(BusyLoading | ClusterDown) => {
                    self.doubt(node);
                    Remedy::Wait
                }
                // The connection to it has ended with this answer. A new one may lead to another.
                Some(ReadOnly | MasterDown) => {
                    self.doubt(node);
                    Remedy::ElsewhereThenWait
                }
                _ => Remedy::None,
            },
            Failure::Unreachable(_) => self.doubt(node),
            Failure::Broken(_) => {
                self.doubt(node);
                match again {
                    Again::Harmless => Remedy::Elsewhere,
                    Again::Never => Remedy::None,
                }
            }
            Failure::Timeout => {
                self.doubt(node);
                Remedy::None
            }
            Failure::Setup(_) | Failure::Shortfall(_) | Failure::Forbidden(_) | Failure::Nonsense => Remedy::None,
        }
    }

    /// Where MOVED and ASK point to.
    fn redirect(&self, error: &ServerError, from: &Node) -> Remedy {
        let Fleet::Cluster(cluster) = &self.fleet else {
            return Remedy::None;
        };
        let target = error.details().and_then(|details| {
            let (slot, addr) = details.split_once(' ')?;
            let (host, port) = addr.rsplit_once(':')?;
            let node = cluster.at(host, port.parse().ok()?, from)?;
            Some((slot.parse().ok()?, node))
        });
        let Some((slot, node)) = target else {
            return Remedy::None;
        };
        let asking = error.kind() == Some(ServerErrorKind::Ask);
        if !asking {
            cluster.moved(slot, &node);
        }
        Remedy::Redirect(node, asking)
    }

    /// Takes note that a node may not be the right one any longer. There may be another, if there are several.
    fn doubt(&self, node: &Arc<Node>) -> Remedy {
        match &self.fleet {
            Fleet::Single(_) => return Remedy::None,
            Fleet::Sentinel(sentinel) => sentinel.doubt(node),
            Fleet::Cluster(cluster) => cluster.doubt(node),
        }
        Remedy::Elsewhere
    }
}
