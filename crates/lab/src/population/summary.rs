//! [`Summary`]: the events of a run, counted.

use std::fmt;

use super::call::{Call, Outcome, What};
use super::crew::Crew;

/// The events of a run, counted.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Summary {
    /// The number of calls, those of observers included.
    pub calls: usize,
    /// The number of calls without a result.
    pub unknown: usize,
    /// The number of logins that have succeeded.
    pub logins: usize,
    /// The number of logins beyond the limit.
    pub refused: usize,
    /// The number of calls that have ended all sessions of an owner, or all but one.
    pub end_alls: usize,
    /// The number of killed processes.
    pub kills: usize,
    /// The number of disturbances of the storage.
    pub strikes: u64,
    /// The number of ends that processes were told of.
    pub told: usize,
    /// The number of sessions that live in the end.
    pub live: usize,
}

impl Summary {
    pub(super) fn of(crew: &Crew<'_>, strikes: u64, live: usize) -> Self {
        let calls = &crew.history.calls;
        let count = |is: &dyn Fn(&Call) -> bool| calls.iter().filter(|call| is(call)).count();
        let is_login = |call: &Call| matches!(call.what, What::LogIn { .. });
        let is_found = |call: &Call| matches!(call.outcome, Outcome::Found(_));
        Self {
            calls: calls.len(),
            unknown: count(&|call| matches!(call.outcome, Outcome::Unknown(_))),
            logins: count(&|call| is_login(call) && is_found(call)),
            refused: count(&|call| is_login(call) && matches!(call.outcome, Outcome::Refused(_))),
            end_alls: count(&|call| {
                matches!(call.what, What::EndAll { .. } | What::EndOthers { .. }) && is_found(call)
            }),
            kills: crew.killed.len(),
            strikes,
            told: crew.history.told.len(),
            live,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} calls, {} without a result; {} logins, {} refused; {} ends of all; {} kills, {} strikes; {} ends told; \
             {} live",
            self.calls,
            self.unknown,
            self.logins,
            self.refused,
            self.end_alls,
            self.kills,
            self.strikes,
            self.told,
            self.live
        )
    }
}
