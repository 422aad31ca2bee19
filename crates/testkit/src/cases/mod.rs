//! The cases: one function for each promise, grouped by what it is about.
//!
//! A case gets a storage of its own, returns if the promise was kept, and panics with what went wrong if not. Cases
//! are private: the list in `kit/run.rs` makes them tests, and one that is not listed is dead code to the compiler.

pub(crate) mod alias;
pub(crate) mod at_once;
pub(crate) mod cancel;
pub(crate) mod capabilities;
pub(crate) mod commit;
pub(crate) mod concurrency;
pub(crate) mod contest;
pub(crate) mod create;
pub(crate) mod destroy;
pub(crate) mod drain;
pub(crate) mod errors;
pub(crate) mod expiry;
pub(crate) mod full;
pub(crate) mod lease;
pub(crate) mod lock;
pub(crate) mod payload;
pub(crate) mod race;
pub(crate) mod read;
pub(crate) mod replace;
pub(crate) mod rotate;
pub(crate) mod scan;
pub(crate) mod sweep;
pub(crate) mod touch;
pub(crate) mod wait;
