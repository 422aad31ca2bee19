//! Real Redis servers for tests: started, paused, killed, restarted, failed over and thrown away.
//!
//! Everything runs on 127.0.0.1, on ports that are free, in folders of its own, and ends with the value that stands
//! for it or, at the latest, with the process.
//!
//! The program is the `redis-server` in the PATH, version 7.0 or later, or the one that the environment variable
//! `SESSILE_REDIS_SERVER` names by its path, such as a `valkey-server`. It runs as a sentinel too. Where it is missing,
//! starting panics and says so; which it is stands on standard error, once a process, and in [`version`].
//!
//! All calls block, most of them briefly: these are orders to servers, not part of what is tested. In a test with one
//! thread they stop the storage as well.
//!
//! ```
//! use sessile_testkit::redis::{Proxy, RedisServer};
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

/// The servers of this process, such as `Redis 7.0.15` or `Valkey 9.1.2`.
///
/// # Panics
///
/// If there is no such program.
#[must_use]
pub fn version() -> &'static str {
    program::Program::chosen().version()
}

/// How long anything may take to come about.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so.
#[track_caller]
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it never came about that {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
