//! Real Redis servers for tests, which can be started, paused, killed, restarted and failed over.
//!
//! Servers listen on free ports of 127.0.0.1, have their own folders, and end with the value that represents them, or
//! with the process at the latest.
//!
//! The program is the `redis-server` in the PATH, version 7.0 or later, or the one whose path the environment variable
//! `SESSILE_REDIS_SERVER` contains, such as a `valkey-server`. It also runs as a sentinel. If it is missing, starting
//! panics with that reason. Each process prints the version on standard error once, and [`version`] returns it.
//!
//! All calls block, most of them briefly. They control servers and are not part of the tested code. In a
//! single-threaded test they block the storage too.
//!
//! ```
//! use sessile_lab::redis::{Proxy, RedisServer};
//!
//! let server = RedisServer::start();
//! let proxy = Proxy::to(server.port());
//! assert_eq!(server.command(&["SET", "key", "value"]).text(), "OK");
//! // Connect to `proxy.url()` instead of `server.url()`, and then:
//! proxy.cut();
//! proxy.heal();
//! ```

mod cluster;
mod nemesis;
mod parser;
mod program;
mod proxy;
mod resp;
mod sentinel;
mod server;

pub use self::cluster::RedisCluster;
pub use self::proxy::Proxy;
pub use self::resp::{Admin, Reply};
pub use self::sentinel::RedisSentinel;
pub use self::server::RedisServer;

use std::time::{Duration, Instant};

/// Returns the name and version of the servers of this process, such as `Redis 7.0.15` or `Valkey 9.1.2`.
///
/// # Panics
///
/// Panics if the program is missing.
#[must_use]
pub fn version() -> &'static str {
    program::Program::chosen().version()
}

/// The limit of every wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the condition holds.
#[track_caller]
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it never came about that {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
