//! The same program with a counting allocator. `sessile-benches` runs it to measure memory.

use std::alloc::System;
use std::process::ExitCode;

use sessile_benches::Heap;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    sessile_benches::main(Some(|| {
        let stats = ALLOCATOR.stats();
        Heap {
            allocations: stats.allocations + stats.reallocations,
            allocated: stats.bytes_allocated,
            freed: stats.bytes_deallocated,
        }
    }))
}
