//! The cases: one function per promise, grouped by subject.
//!
//! Each case gets its own storage. It returns if the promise holds, and panics with a description if not. Cases are
//! private: the list in `kit/list.rs` turns them into tests, and the compiler reports an unlisted one as dead code.

pub(crate) mod alias;
pub(crate) mod cancel;
pub(crate) mod capabilities;
pub(crate) mod commit;
pub(crate) mod concurrency;
pub(crate) mod contest;
pub(crate) mod create;
pub(crate) mod cut;
pub(crate) mod destroy;
pub(crate) mod drain;
pub(crate) mod errors;
pub(crate) mod expiry;
pub(crate) mod facts;
pub(crate) mod full;
pub(crate) mod immediate;
pub(crate) mod lease;
pub(crate) mod lock;
pub(crate) mod payload;
mod population;
pub(crate) mod race;
pub(crate) mod read;
pub(crate) mod replace;
mod replacing;
pub(crate) mod rotate;
pub(crate) mod scan;
pub(crate) mod sweep;
pub(crate) mod touch;
pub(crate) mod wait;
mod waiter;
pub(crate) mod watch;

pub(crate) use self::population::{audit, crowd, ending, epoch, owner, owner_limit, registry};
