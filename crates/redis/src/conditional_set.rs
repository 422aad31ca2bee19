//! [`ConditionalSet`]: the servers that support conditional `SET`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use redis::ConnectionAddr;

use crate::error::Failure;
use crate::net::Router;

/// Remembers which servers do not support `SET` with `IFEQ`, which came with Valkey 8.1 and Redis 8.4.
///
/// A server is assumed to support it until it refuses it, which it does without any effect. The refusal holds for the
/// connection on which it came: a server that is replaced by another version ends its connections. No version is looked
/// at, so each node of a cluster that is being upgraded is judged by what it supports.
#[derive(Default)]
pub(crate) struct ConditionalSet {
    /// True if any server has refused it. Spares the lock below as long as none has. Relaxed, because a stale value
    /// costs only one more refusal.
    any: AtomicBool,
    /// The servers that have refused it, each with the generation of the connection on which it did, if there was one.
    refused: RwLock<Vec<(ConnectionAddr, Option<u64>)>>,
}

impl ConditionalSet {
    /// Returns whether the server that owns this shard may support it.
    pub(crate) fn is_supported(&self, router: &Router, shard: &str) -> bool {
        if !self.any.load(Ordering::Relaxed) {
            return true;
        }
        let Some(node) = router.known_node(shard) else {
            return true;
        };
        let refused = self.refused.read().unwrap_or_else(PoisonError::into_inner);
        let Some((_, generation)) = refused.iter().find(|(addr, _)| *addr == node.addr) else {
            return true;
        };
        *generation != node.connection_for(shard).current().map(|live| live.generation)
    }

    /// Records that the server that owns this shard does not support it.
    pub(crate) fn mark_unsupported(&self, router: &Router, shard: &str) {
        let Some(node) = router.known_node(shard) else { return };
        let generation = node.connection_for(shard).current().map(|live| live.generation);
        let mut refused = self.refused.write().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|(addr, _)| *addr != node.addr);
        refused.push((node.addr.clone(), generation));
        self.any.store(true, Ordering::Relaxed);
    }
}

/// Returns whether a failure may mean that the server does not know an option: an error without a specific code. The
/// text of the error differs among servers, and among proxies.
pub(crate) fn is_unknown_option(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused(error) if error.code() == "ERR")
}
