//! Sessions as a population: who is logged in, on how many devices, and how to end them.
//!
//! Nothing here needs an operation of its own from a storage. What has to be known across sessions is kept in *rosters*:
//! records of the same storage, under [derived keys](crate::SessionKey::derive), that are changed under their own locks.
//!
//! - [`roster`] keeps places in order; [`owners`] keeps the sessions of one owner in a roster, and [`verify`] finds out
//!   which of them live.
//! - [`policy`] names the limits of a standard.
//! - [`page`] lists sessions and nothing else.
//! - [`registry`] lists and ends sessions; [`audit`](registry::audit) mends rosters after crashes.
//! - [`reports`] tell what happens to sessions.
//! - [`epoch`] ends all sessions at once.
//!
//! Four invariants hold at every instant, whatever is cancelled, killed or delayed:
//!
//! 1. A session with an owner has a place in the owner's roster before it exists, so it is never missing from the list.
//! 2. A place is removed only if its session is dead for ever: it was ended, has expired, or can never be created.
//! 3. There are at most as many places as the limit allows.
//! 4. Nothing waits for the lock of a session while it holds the lock of a roster.

mod epoch;
mod owners;
mod page;
mod policy;
mod registry;
mod reports;
mod roster;
mod verify;

pub(crate) use self::owners::Enlisted;
pub use self::policy::Policy;
pub use self::registry::{Audit, Registry, SessionChange, SessionInfo, SessionList, SessionWatch};
pub(crate) use self::reports::{Prepared, Renewal};
