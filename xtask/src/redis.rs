//! The tests of the Redis storage start servers and sentinels of their own, for which there has to be the program.

use crate::Failure;
use crate::programs::Programs;

/// Names another program than `redis-server`.
const VARIABLE: &str = "SESSILE_REDIS_SERVER";

/// Version 7.0 or later.
const SERVER: Programs = Programs {
    needed: &[("redis-server", "redis-server")],
    advice: "The tests start servers of their own. Install version 7.0 or later, on Debian with `sudo apt-get install \
             redis-server`, on macOS with `brew install redis`; or set SESSILE_REDIS_SERVER to the path of such a \
             program.",
};

/// Some tests set the clock of a process.
const CLOCKS: Programs = Programs {
    needed: &[("faketime", "faketime")],
    advice: "The tests set the clocks of processes with libfaketime. Install it, on Debian with `sudo apt-get install \
             faketime`, on macOS with `brew install libfaketime`.",
};

/// Finds or installs what the tests need beside the server.
pub(crate) fn ensure_clocks() -> Result<(), Failure> {
    CLOCKS.ensure()
}

/// Finds the server program or installs it. One that was named is taken as it is: the tests say if it is missing.
pub(crate) fn ensure_server() -> Result<(), Failure> {
    match std::env::var_os(VARIABLE) {
        Some(_) => Ok(()),
        None => SERVER.ensure(),
    }
}
