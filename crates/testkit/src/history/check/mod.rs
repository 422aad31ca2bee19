//! Whether a history can be true of a storage that keeps its promises.

mod chain;
mod clocks;
mod ends;
mod lost;
mod session;
mod setback;
mod verdict;

use std::time::Duration;

pub use self::lost::Lost;
use self::session::Session;
use self::setback::Epochs;
pub use self::setback::Setback;
pub use self::verdict::{Promise, Summary, Violation, Violations};
use super::History;

/// By how much clocks and waits may be out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tolerance {
    /// By how much the clock of the storage as its clients see it may differ from the one that decides. Zero by
    /// default.
    pub skew: Duration,
    /// For how much longer than its limit a wait may last, because a process was stopped or a machine was busy. Five
    /// seconds by default.
    pub slack: Duration,
    /// For how long whoever holds a lock can rely on it: one that is lost earlier is a violation. `None`, which is the
    /// default, does not look at that.
    pub lease: Option<Duration>,
}

impl Tolerance {
    /// With another skew.
    #[must_use]
    pub fn with_skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// With another slack.
    #[must_use]
    pub fn with_slack(mut self, slack: Duration) -> Self {
        self.slack = slack;
        self
    }

    /// With leases that last for so long.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }
}

impl Default for Tolerance {
    fn default() -> Self {
        Self {
            skew: Duration::ZERO,
            slack: Duration::from_secs(5),
            lease: None,
        }
    }
}

impl History {
    /// Checks the history against the five promises.
    ///
    /// - **P1**: the writes that were acknowledged or seen form one chain, each built on the one before. Nothing that
    ///   was refused is in it, nothing that was acknowledged is missing from it, and nobody is shown less of it than
    ///   was acknowledged before he asked. Nobody loses a lock before its lease is over, if that is known.
    /// - **P2**: a session that was destroyed, was found missing or has moved is not found again under that key.
    /// - **P3**: nobody waits for a lock for much longer than he said he would.
    /// - **P4**: records are whole; a session that nobody ended is not lost.
    /// - **P5**: nothing is found after its deadline.
    ///
    /// A call whose outcome is unknown may have taken effect or not, whichever makes the history true.
    ///
    /// The time it takes is that of sorting the operations by time; all the rest is linear in their number.
    ///
    /// # Errors
    ///
    /// What cannot be true, in words, with the operations that contradict each other.
    pub fn check(&self) -> Result<Summary, Violations> {
        self.check_within(Tolerance::default())
    }

    /// As [`check`](Self::check), with another tolerance.
    ///
    /// # Errors
    ///
    /// As for [`check`](Self::check).
    pub fn check_within(&self, tolerance: Tolerance) -> Result<Summary, Violations> {
        self.check_across(&[], tolerance).map(|(summary, _)| summary)
    }

    /// As [`check_within`](Self::check_within), for a storage that was set back at these moments. Says what it lost by
    /// that.
    ///
    /// Between two setbacks all is as strict as ever: no update is lost among what is left, and what is destroyed
    /// stays destroyed until the next.
    ///
    /// # Errors
    ///
    /// As for [`check`](Self::check).
    pub fn check_across(&self, setbacks: &[Setback], tolerance: Tolerance) -> Result<(Summary, Lost), Violations> {
        let sessions = Session::all(self);
        let epochs = Epochs::between(setbacks);
        let mut summary = Summary {
            sessions: sessions.len(),
            ..Summary::default()
        };
        let (mut lost, mut violations) = (Lost::default(), Vec::new());
        for session in &sessions {
            summary.add(session);
            chain::check_payloads(session, &mut violations);
            clocks::check(session, &epochs, tolerance, &mut violations);
            if epochs.is_one() {
                chain::check(session, &mut violations);
                ends::check(session, tolerance, &mut violations);
                continue;
            }
            for (_, epoch) in epochs.of(session) {
                let calls = setback::view(session, epoch);
                let part = Session::of(&calls);
                chain::check(&part, &mut violations);
                ends::check(&part, tolerance, &mut violations);
            }
            lost += Lost::of(session, &epochs, tolerance);
        }
        match violations.is_empty() {
            true => Ok((summary, lost)),
            false => Err(Violations::new(violations, summary)),
        }
    }
}
