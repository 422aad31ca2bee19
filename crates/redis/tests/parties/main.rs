//! Failures of one server, process or clock while all are in use, and what the healthy part has to keep doing.
//!
//! Every scene is a load, an event during it, and requirements: no failed call where nothing is broken, no storm of
//! requests or connections where something is, and recovery within a stated time. The times are bounds, several times
//! as long as usual, for busy machines.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

#[path = "../support/mod.rs"]
mod support;

mod clocks;
mod durable;
mod endpoint;
mod frozen;
mod load;
mod nodes;
mod refused;
mod reshard;
mod rights;
mod runtimes;
mod shards;
mod stalled;
mod visits;
