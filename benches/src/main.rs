//! Comparisons of sessile with its peers and with a server without sessions.
//!
//! This program measures time, so it counts no allocations: a counter in the allocator would add to the time of each
//! allocation. It runs `counted` for the figures of memory.

use std::process::ExitCode;

fn main() -> ExitCode {
    sessile_benches::main(None)
}
