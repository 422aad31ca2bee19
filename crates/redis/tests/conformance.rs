//! The conformance kit on one server.

mod support;

use std::sync::OnceLock;

use sessile_testkit::{Subject, storage_tests};
use support::redis_server::RedisServer;

/// One for all cases; each has a prefix of its own.
fn server() -> &'static RedisServer {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    SERVER.get_or_init(RedisServer::start)
}

async fn subject() -> Subject {
    support::subject(
        || sessile_redis::RedisStorage::builder(&server().url()),
        || vec![server()],
    )
    .await
}

mod single {
    use super::*;

    storage_tests!(subject);
}
