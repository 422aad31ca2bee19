//! The conformance kit, and tests of durability, corruption, a failing disk and other processes.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod background;
mod conformance;
mod corruption;
mod durability;
mod errors;
mod kill;
mod operations;
mod processes;
mod storage;
mod support;
mod versions;
