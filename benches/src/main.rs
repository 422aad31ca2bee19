//! sessile beside its peers and beside a server without sessions.
//!
//! Everything a run prints comes from one interleaved run on one machine: read the ratios, not the nanoseconds.

mod allocations;
mod contenders;
mod driver;
mod quick;

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("quick") => {
            quick::run();
            ExitCode::SUCCESS
        }
        other => {
            if let Some(name) = other {
                eprintln!("there is no bench `{name}`");
            }
            eprintln!("usage: cargo run --release -p sessile-benches -- quick");
            ExitCode::from(2)
        }
    }
}
