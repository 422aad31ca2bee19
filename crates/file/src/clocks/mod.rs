//! The clock for leases, and the check of the clock for deadlines.

mod uptime;
mod watch;

pub(crate) use self::uptime::Uptime;
pub(crate) use self::watch::Watch;
