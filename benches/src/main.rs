//! sessile beside its peers and beside a server without sessions.
//!
//! This is the program that takes times, so it counts nothing: a counter in the allocator would add to each allocation
//! what the allocation itself takes. Where something is to be counted, it has `counted` do it.

use std::process::ExitCode;

fn main() -> ExitCode {
    sessile_benches::main(None)
}
