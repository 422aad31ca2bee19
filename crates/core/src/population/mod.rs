//! Sessions as a population: who is logged in, on how many devices, and how to end them.
//!
//! Nothing here needs an operation of its own from a storage. What has to be known across sessions is kept in *rosters*:
//! records of the same storage, under [derived keys](crate::SessionKey::derive), that are changed under their own locks.
//!
//! - [`roster`] keeps places in order; [`owners`] keeps the sessions of one owner in a roster, and [`verify`] finds out
//!   which of them live.
//! - [`limit`] bounds the number of an owner's sessions; [`policy`] names the limits of a standard.
//! - [`registry`] lists and ends sessions; [`audit`](registry::audit) mends rosters after crashes.
//! - [`events`] tell what happens to sessions.
//! - [`tasks`] run work in other sessions than that of the current visit.
//! - [`epoch`] ends all sessions at once.
//!
//! Four invariants hold at every instant, whatever is cancelled, killed or delayed:
//!
//! 1. A session with an owner has a place in the owner's roster before it exists, so it is never missing from the list.
//! 2. A place is removed only if its session is dead for ever: it was ended, has expired, or can never be created.
//! 3. There are at most as many places as the limit allows.
//! 4. Nothing waits for the lock of a session while it holds the lock of a roster.

mod epoch;
mod events;
mod limit;
mod owners;
mod policy;
mod registry;
mod roster;
mod tasks;
mod verify;

pub use self::events::{EndReason, EndedSession, Event, EventKind, EventStream, Events, Refusal};
pub(crate) use self::events::{Hub, PendingEnd, Renewal};
pub use self::limit::Limit;
pub(crate) use self::owners::Enlisted;
pub use self::policy::Policy;
pub use self::registry::{Audit, Registry, SessionInfo, SessionList};
pub use self::tasks::{RunInAll, RunInEach, TaskProgress};
pub(crate) use self::tasks::{TaskResult, run, run_in_all, run_in_each};
