//! The result of a run.

use std::fmt;

use crate::history::{History, Lost, Summary, Violations};

/// The report of a run without failures.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// Counts of what was checked.
    pub summary: Summary,
    /// The writes that the storage lost in setbacks.
    pub lost: Lost,
    /// The seed.
    pub seed: u64,
    /// The number of killed processes.
    pub kills: u64,
    /// The number of stops of processes.
    pub stops: u64,
    /// The number of faults injected by the [`Disturbance`](super::Disturbance).
    pub strikes: u64,
    /// The calls of the clients and their results.
    pub history: History,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            summary,
            seed,
            lost,
            kills,
            stops,
            strikes,
            ..
        } = self;
        write!(
            f,
            "seed {seed}, {kills} processes killed, {stops} stops, {strikes} strikes: {summary}"
        )?;
        if lost.is_nothing() {
            return Ok(());
        }
        write!(f, "; {lost}")
    }
}

/// The failures of a run.
#[derive(Clone)]
#[non_exhaustive]
pub struct Failure {
    /// The violations in the history.
    pub violations: Option<Violations>,
    /// Other failures: errors of unexpected kinds, locks that stay, workers that hang.
    pub failures: Vec<String>,
    /// The seed.
    pub seed: u64,
    /// The calls of the clients and their results.
    pub history: History,
}

/// The number of failures that are shown.
const SHOWN: usize = 10;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            violations,
            failures,
            seed,
            ..
        } = self;
        writeln!(f, "torture with seed {seed} (set SESSILE_SEED={seed} to try it again):")?;
        if let Some(violations) = violations {
            write!(f, "{violations}")?;
        }
        for failure in failures.iter().take(SHOWN) {
            writeln!(f, "- {failure}")?;
        }
        match failures.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => writeln!(f, "and {more} more"),
        }
    }
}

/// Formats like `Display`, because a failed `unwrap` shows this.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failure {}
