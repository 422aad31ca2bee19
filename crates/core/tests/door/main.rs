//! The plug-in door: a store and locks, paired, are a storage.

#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

mod cancellation;
mod conformance;
mod interleavings;
mod local_locks;
mod lost_answers;
mod model;
mod moves;
mod replace;
mod support;
mod torture;
mod verbs;
