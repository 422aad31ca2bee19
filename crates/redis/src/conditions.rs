//! [`Conditions`]: which servers set a key only if it has a certain value.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use redis::ConnectionAddr;

use crate::error::Failure;
use crate::net::Net;

/// Remembers which servers do not know `SET` with `IFEQ`: it came with Valkey 8.1 and Redis 8.4.
///
/// A server is taken to know it until it has refused it, which it does without having done anything. What it has
/// refused holds for the connection on which it did: a server that is replaced by a newer one, or an older, ends its
/// connections. So each node of a cluster that is just being upgraded is asked for what it can do, and no version is looked at.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    /// Whether there is any that does not.
    any: AtomicBool,
    /// Those that do not, each with the number of the connection on which it said so, if there was one.
    refused: RwLock<Vec<(ConnectionAddr, Option<u64>)>>,
}

impl Conditions {
    /// Whether the server that keeps this shard may know conditions.
    pub(crate) fn may_be_set(&self, net: &Net, shard: &str) -> bool {
        if !self.any.load(Ordering::Relaxed) {
            return true;
        }
        let Some(node) = net.known(shard) else { return true };
        let refused = self.refused.read().unwrap_or_else(PoisonError::into_inner);
        let Some((_, generation)) = refused.iter().find(|(addr, _)| *addr == node.addr) else {
            return true;
        };
        *generation != node.line_of(shard).current().map(|live| live.generation)
    }

    /// Takes note that the server that keeps this shard does not know conditions.
    pub(crate) fn were_refused(&self, net: &Net, shard: &str) {
        let Some(node) = net.known(shard) else { return };
        let generation = node.line_of(shard).current().map(|live| live.generation);
        let mut refused = self.refused.write().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|(addr, _)| *addr != node.addr);
        refused.push((node.addr.clone(), generation));
        self.any.store(true, Ordering::Relaxed);
    }
}

/// Whether this is how a server answers that does not know an option: with an error of no particular kind. Servers say
/// it in other words each, and those in between, such as a proxy, in their own.
pub(crate) fn is_unknown(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused(error) if error.code() == "ERR")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]
mod tests {
    use sessile_core::{OsEntropy, SessionId};
    use sessile_testkit::redis::RedisCluster;

    use crate::engine::{Engine, Kind, Options};
    use crate::net::Again;
    use crate::servers::RedisServers;

    /// As while a cluster is upgraded node by node.
    #[tokio::test]
    async fn what_one_node_has_refused_holds_for_it_and_no_longer_than_its_connection() {
        let cluster = RedisCluster::start();
        let servers = RedisServers::cluster(cluster.urls());
        let engine = Engine::connect(servers, "test:".into(), Options::default(), Kind::Sessions);
        let engine = engine.await.unwrap();
        let mut shards = Vec::new();
        while shards.len() < 60 {
            let key = SessionId::generate(&OsEntropy).key();
            let mut get = redis::cmd("GET");
            get.arg(engine.keys.record(&key));
            engine.net.send(key.shard(), &get, Again::Harmless).await.unwrap();
            shards.push(key.shard().to_owned());
        }
        let node = |shard: &str| engine.net.known(shard).unwrap();
        let (conditions, first) = (&engine.conditions, node(&shards[0]));
        let may_be_set = || {
            let may = |shard: &String| {
                (
                    node(shard).addr == first.addr,
                    conditions.may_be_set(&engine.net, shard),
                )
            };
            shards.iter().map(may).collect::<Vec<_>>()
        };
        assert!(may_be_set().iter().all(|(_, may)| *may));
        conditions.were_refused(&engine.net, &shards[0]);
        assert!(may_be_set().iter().all(|(is_first, may)| is_first != may));
        assert!(may_be_set().iter().any(|(_, may)| *may));
        // It is started anew, perhaps as another version.
        first.line_of(&shards[0]).end();
        assert!(may_be_set().iter().all(|(_, may)| *may));
    }
}
