//! What came of a torture.

use std::fmt;

use crate::history::{History, Lost, Summary, Violations};

/// What was done, and that nothing was found wrong.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// How much was checked.
    pub summary: Summary,
    /// What the storage forgot when it was set back.
    pub lost: Lost,
    /// The seed.
    pub seed: u64,
    /// How many processes were killed.
    pub kills: u64,
    /// How many times a process was stopped for a while.
    pub stops: u64,
    /// How many times the [`Disturbance`](super::Disturbance) struck.
    pub strikes: u64,
    /// All that the clients did and were told.
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

/// What was found wrong.
#[derive(Clone)]
#[non_exhaustive]
pub struct Failure {
    /// What cannot be true in what the clients were told.
    pub violations: Option<Violations>,
    /// What else ought not to happen: errors of unexpected kinds, locks that stay, workers that hang.
    pub failures: Vec<String>,
    /// The seed.
    pub seed: u64,
    /// All that the clients did and were told.
    pub history: History,
}

/// How many troubles are told.
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

/// As `Display`: it is what a failed `unwrap` shows.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failure {}
