//! The check of a history against the promises of a storage.

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

/// The tolerance of a check for clocks and waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tolerance {
    /// The largest difference between the clock of the storage as its clients see it and the clock that decides. Zero
    /// by default.
    pub skew: Duration,
    /// The time by which a wait may exceed its limit, because a process was stopped or the machine was busy. Five
    /// seconds by default.
    pub slack: Duration,
    /// The time for which a holder can rely on its lock. A lock that is lost earlier is a violation. `None`, the
    /// default, turns this check off.
    pub lease: Option<Duration>,
}

impl Tolerance {
    /// Sets the skew.
    #[must_use]
    pub fn with_skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// Sets the slack.
    #[must_use]
    pub fn with_slack(mut self, slack: Duration) -> Self {
        self.slack = slack;
        self
    }

    /// Sets the duration of leases.
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
    /// - **P1**: the writes that were acknowledged or found form one chain, each built on the one before. The chain
    ///   contains every acknowledged write and no refused one. No call finds an older state than was acknowledged
    ///   before it. No lock is lost before its lease ends, if the lease is known.
    /// - **P2**: a session that was destroyed, was found missing or has moved is not found again under that key.
    /// - **P3**: no call waits for a lock much longer than its limit.
    /// - **P4**: records are whole, and a session that no call ended is not lost.
    /// - **P5**: no session is found after its deadline.
    ///
    /// A call with an unknown outcome may have taken effect or not. The check assumes the case that makes the history
    /// valid.
    ///
    /// The check sorts the calls by time. Everything else takes time linear in their number.
    ///
    /// # Errors
    ///
    /// Returns the violations, each with the calls that contradict each other.
    pub fn check(&self) -> Result<Summary, Violations> {
        self.check_within(Tolerance::default())
    }

    /// Checks like [`check`](Self::check), with another tolerance.
    ///
    /// # Errors
    ///
    /// Returns the violations, like [`check`](Self::check).
    pub fn check_within(&self, tolerance: Tolerance) -> Result<Summary, Violations> {
        self.check_across(&[], tolerance).map(|(summary, _)| summary)
    }

    /// Checks like [`check_within`](Self::check_within), for a storage that was set back at these times. Returns the
    /// losses that the setbacks caused.
    ///
    /// The check between two setbacks is as strict as without any: no remaining update is lost, and a destroyed session
    /// stays destroyed until the next setback.
    ///
    /// # Errors
    ///
    /// Returns the violations, like [`check`](Self::check).
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
