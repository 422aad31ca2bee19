//! The servers as parties: what happens to one of them, or to a process, or to a clock, while all are in use; and what
//! the healthy part has to keep doing.
//!
//! Every scene is a load, something that happens under it, and what is asked of it: no failed call where nothing is
//! broken, no storm of questions or connections where something is, and the return of the rest in a stated time. The
//! times are bounds, several times as long as what is usual: they are for machines that are busy testing.

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
