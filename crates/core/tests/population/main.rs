//! Sessions as a population.

#[path = "../common/mod.rs"]
mod common;

mod events;
mod tasks;
