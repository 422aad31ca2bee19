//! Sessions as a population.
#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

#[path = "../common/mod.rs"]
mod common;

mod barriers;
mod callbacks;
mod cancellation;
mod costs;
mod ends;
mod events;
mod failures;
mod hints;
mod killed;
mod leases;
mod lost_locks;
mod model;
mod settings;
mod signs;
mod stalls;
mod stress;
mod support;
mod tasks;
mod unreadable;
mod watching;
mod world;
