//! Tests that stand between the system calls of a step. What can be tested from outside is in `tests/`.

mod at;
mod clock;
mod corrupt;
mod crash;
mod faults;
mod fence;
mod power;
mod scenario;
mod shutdown;

#[allow(dead_code)] // Each of the tests uses a part of it.
#[path = "../../tests/common/mod.rs"]
mod common;
