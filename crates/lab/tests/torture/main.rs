//! The torture driver finds nothing in a storage that keeps its promises, and finds each of the others.
//!
//! This program is driver and worker in one, without the standard harness. Signals stop processes, and Unix file locks
//! exclude them from each other.

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
