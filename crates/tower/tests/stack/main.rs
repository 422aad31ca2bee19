//! The layer among the others that applications use: inside and outside of each, in one `ServiceBuilder` and in a
//! router of axum. Each test really logs a customer in, counts for them and logs them out again.

// In a helper, too, an unwrap is an assertion.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod cut_off;
mod matrix;
mod placements;
mod shop;
