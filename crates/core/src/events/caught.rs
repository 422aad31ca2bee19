//! Running code of the application that must not stop anything else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::telemetry;

/// Runs a listener or a callback. A panic in it is logged.
pub(super) fn run_caught(code: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(code)).is_err() {
        telemetry::listener_panicked();
    }
}
