//! The cases: one function per promise, grouped by operation.

pub(crate) mod cancel;
mod concurrent;
mod conditions;
pub(crate) mod contents;
pub(crate) mod insert;
pub(crate) mod load;
pub(crate) mod pair;
pub(crate) mod pair_race;
pub(crate) mod race;
pub(crate) mod remove;
pub(crate) mod rename;
pub(crate) mod replace;
pub(crate) mod scan;
pub(crate) mod take_expired;
pub(crate) mod touch;
