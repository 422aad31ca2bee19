//! Sessions in memory, in front of another storage.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod bounds;
mod clock;
mod conformance;
mod doubt;
mod extremes;
mod races;
mod sharing;
mod support;
mod validated;
