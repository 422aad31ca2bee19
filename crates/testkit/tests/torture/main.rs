//! The torture driver finds nothing in a storage that keeps its promises, and finds out each that does not.
//!
//! This program is driver and worker in one, so it does without the usual harness. Processes are stopped by signals and
//! keep each other out by the file locks of Unix.

#[cfg(unix)]
mod defects;
#[cfg(unix)]
mod shared;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    defects::main()
}

#[cfg(not(unix))]
fn main() {
    println!("nothing to do: there are no signals and file locks of Unix here");
}
