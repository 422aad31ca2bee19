//! Tests of the cache in front of a storage.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod ambiguous;
mod bounds;
mod clock;
mod conformance;
mod extremes;
mod races;
mod sharing;
mod support;
mod validated;
