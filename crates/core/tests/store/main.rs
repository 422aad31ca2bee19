//! `LockedStore`: a store and locks combined are a storage.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod cancellation;
mod conformance;
mod interleavings;
mod local_locks;
mod lost_replies;
mod model;
mod moves;
mod replace;
mod store_contract;
mod support;
mod torture;
