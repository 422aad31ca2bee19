//! The programs that the tests of the Redis storage start: servers, and processes with a clock of their own.

use crate::Failure;
use crate::programs::{Missing, Program, ensure};

/// The environment variable that names another program than `redis-server`.
const VARIABLE: &str = "SESSILE_REDIS_SERVER";

const SERVER: Program = Program {
    name: "redis-server",
    apt: "redis-server",
    brew: Some("redis"),
    purpose: "The tests start Redis servers, of version 7.0 or later. SESSILE_REDIS_SERVER=/path/to/program names \
              another one.",
};

const CLOCKS: Program = Program {
    name: "faketime",
    apt: "faketime",
    brew: Some("libfaketime"),
    purpose: "The tests set the clocks of processes.",
};

/// Ensures that the tests find their server and can set the clocks of processes.
pub(crate) fn ensure_all(missing: Missing) -> Result<(), Failure> {
    if is_named() {
        return ensure_clocks(missing);
    }
    ensure(&[&SERVER, &CLOCKS], missing)
}

/// Ensures that the tests can set the clocks of processes.
pub(crate) fn ensure_clocks(missing: Missing) -> Result<(), Failure> {
    ensure(&[&CLOCKS], missing)
}

/// Ensures that the tests find their server.
pub(crate) fn ensure_server(missing: Missing) -> Result<(), Failure> {
    if is_named() {
        return Ok(());
    }
    ensure(&[&SERVER], missing)
}

/// Returns whether the environment names the server. The tests themselves report a path that does not exist.
fn is_named() -> bool {
    std::env::var_os(VARIABLE).is_some()
}
