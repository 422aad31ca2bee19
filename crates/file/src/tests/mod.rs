//! Tests that intercept the system calls of an operation. Tests of the public API are in `tests/`.

mod at;
mod clock;
mod corrupt;
mod crash;
mod facts;
mod faults;
mod fence;
mod operation;
mod power;
mod scenario;
mod shutdown;

#[allow(dead_code)] // Each test uses a part of it.
#[path = "../../tests/common/mod.rs"]
mod common;
