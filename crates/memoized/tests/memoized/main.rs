//! Sessions in memory, in front of another storage.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod bounds;
mod conformance;
mod doubt;
mod races;
mod sharing;
mod support;
mod validated;
