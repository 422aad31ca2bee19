//! The conformance kit on one server, behind Sentinel, and in a cluster.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod support;

use std::sync::OnceLock;

use sessile_lab::redis::{RedisCluster, RedisSentinel, RedisServer};
use sessile_redis::{RedisServers, RedisStorage};
use sessile_testkit::{Subject, storage_tests};

mod single {
    use super::*;

    /// Returns the server that all cases share. Each case has a prefix of its own.
    fn server() -> &'static RedisServer {
        static SERVER: OnceLock<RedisServer> = OnceLock::new();
        SERVER.get_or_init(RedisServer::start)
    }

    async fn subject() -> Subject {
        support::subject(|| RedisStorage::builder(server().url()), || vec![server()]).await
    }

    storage_tests!(subject);
}

mod sentinel {
    use super::*;

    fn group() -> &'static RedisSentinel {
        static GROUP: OnceLock<RedisSentinel> = OnceLock::new();
        GROUP.get_or_init(RedisSentinel::start)
    }

    async fn subject() -> Subject {
        let builder = || RedisStorage::builder(RedisServers::sentinel(group().urls(), group().name()));
        support::subject(builder, || vec![&group().servers()[0]]).await
    }

    storage_tests!(subject);
}

mod cluster {
    use super::*;

    fn cluster() -> &'static RedisCluster {
        static CLUSTER: OnceLock<RedisCluster> = OnceLock::new();
        CLUSTER.get_or_init(RedisCluster::start)
    }

    async fn subject() -> Subject {
        let builder = || RedisStorage::builder(RedisServers::cluster(cluster().urls()));
        support::subject(builder, || cluster().nodes()[..3].iter().collect()).await
    }

    storage_tests!(subject);
}
