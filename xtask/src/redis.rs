//! The tests of the Redis storage start servers and sentinels of their own, for which there have to be the programs.

use crate::programs::Programs;

/// Version 7.0 or later.
pub(crate) const SERVERS: Programs = Programs {
    needed: &[("redis-server", "redis-server"), ("redis-sentinel", "redis-sentinel")],
    advice: "The tests start servers of their own. Install version 7.0 or later, on Debian with `sudo apt-get install \
             redis-server redis-sentinel`, on macOS with `brew install redis`.",
};
