//! The plug-in door: a store and locks, paired, are a storage.

mod cancellation;
mod conformance;
mod interleavings;
mod local_locks;
mod lost_answers;
mod model;
mod moves;
mod support;
