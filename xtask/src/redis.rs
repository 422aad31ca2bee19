//! The tests of the Redis storage start servers and sentinels of their own, for which there have to be the programs.

use crate::Failure;
use crate::programs::Programs;

/// Finds the programs or, on Debian and its kin, installs them.
pub(crate) fn ensure() -> Result<(), Failure> {
    let programs = Programs {
        names: &["redis-server", "redis-sentinel"],
        needed: "the tests need redis-server and redis-sentinel (7.0 or later) on the PATH",
    };
    programs.ensure()
}
