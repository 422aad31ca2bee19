//! Reporting what happens to sessions, and their ends at least once.
//!
//! - [`end`] ends sessions from outside of their visits and reports that; [`renewal`] reports new keys, logins and
//!   logouts.
//! - [`moved`] does that for a session of which a former key is known.
//! - [`watchlist`] remembers sessions whose ends have to be reported whatever happens to this process; [`round`] looks
//!   through it, and is what [`maintain`](crate::Registry::maintain) repeats.

mod emit;
mod end;
mod moved;
mod renewal;
mod round;
mod watchlist;

pub(crate) use self::end::Prepared;
pub(crate) use self::renewal::Renewal;
