//! The wrappers: each keeps the contract and does its one task.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod at_once;
mod conformance;
#[cfg(feature = "metrics")]
mod metered;
mod null;
mod retry;
mod support;
mod timeout;
#[cfg(feature = "tracing")]
mod traced;
