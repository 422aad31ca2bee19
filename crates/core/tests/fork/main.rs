//! Processes that fork give no id twice.
//!
//! Without the harness of tests: it has threads, and a process that forks has one thread when it does.

// A test, though clippy cannot know.
#![allow(clippy::unwrap_used)]

#[cfg(unix)]
mod family;

fn main() {
    #[cfg(unix)]
    family::run();
}
