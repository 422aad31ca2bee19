//! Forked processes generate no id twice.
//!
//! The test has no harness: a harness has threads, and the process must have a single thread when it forks.

// Clippy does not recognise this as a test.
#![allow(clippy::unwrap_used)]

#[cfg(unix)]
mod family;

fn main() {
    #[cfg(unix)]
    family::run();
}
