//! Tests that stand between the system calls of a step. What can be tested from outside is in `tests/`.

mod corrupt;
mod crash;
mod faults;
mod fence;
mod power;
mod scenario;

#[path = "../../tests/common/mod.rs"]
mod common;
