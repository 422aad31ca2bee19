//! Tests the layer together with other layers: inside and outside of each, in one `ServiceBuilder` and in an axum
//! router. Each test logs a customer in, counts, and logs out again.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod cut_off;
mod matrix;
mod placements;
mod shop;
