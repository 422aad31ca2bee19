//! The wrappers: each keeps the contract and does its one task.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod conformance;
mod immediate;
mod intercept;
#[cfg(feature = "metrics")]
mod metered;
mod null;
mod retry;
mod support;
mod timeout;
#[cfg(feature = "tracing")]
mod traced;
