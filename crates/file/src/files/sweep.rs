//! Removing expired sessions, a bounded slice at a time.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use sessile_core::{Record, SessionKey, Stored, Timestamp};

use crate::failure::{Context, CorruptFile, Failure, Result};
use crate::files::Files;
use crate::files::position::{Position, SLICE};
use crate::files::scan::LeafKeys;
use crate::folder::disk::list;
use crate::folder::format::Kind;
use crate::folder::layout::{FAN, name_of, stripe_of};
use crate::folder::lookup::{KeyState, Part, interpret};
use crate::folder::stripes::StripeGuard;

/// The coarsest resolution of file dates.
const DATE_RESOLUTION: Duration = Duration::from_secs(2);

/// The approximate duration of a slice, however many files there are.
const SLICE_TIME: Duration = Duration::from_millis(50);

/// The largest number of files that are removed under one lock of their stripe, and the longest time.
const BATCH: usize = 32;
const HOLD: Duration = Duration::from_millis(5);

/// The number of attempts at a file that cannot be read within the time for which the stripe is safely held.
const ATTEMPTS: usize = 8;

/// The extent of a sweep.
#[derive(Clone, Copy)]
pub(crate) struct SweepRequest {
    /// The time by which a session must have expired.
    pub(crate) before: Timestamp,
    /// The largest number of sessions to remove.
    pub(crate) limit: usize,
    /// Returns the removed sessions with their payloads, instead of only counting them.
    pub(crate) collect: bool,
}

/// The result of one slice of a sweep.
#[derive(Debug, Default)]
pub(crate) struct SweepReport {
    /// The sessions that were removed, if the request asks for them.
    pub(crate) sessions: Vec<Stored>,
    /// The number of files that were removed.
    pub(crate) removed: usize,
    /// The number of files and folders that were examined.
    pub(crate) examined: usize,
    /// The number of leaves that were examined.
    leaves: usize,
    /// The number of leaves in the folder, extrapolated from the last stripe.
    all_leaves: usize,
    /// The start of the next slice, or `None` at the end.
    pub(crate) next: Option<Position>,
    /// The first failure. A file that cannot be removed does not stop the sweep.
    pub(crate) failure: Option<Failure>,
}

impl SweepReport {
    #[cfg(test)]
    pub(crate) fn of(examined: usize, removed: usize) -> Self {
        Self {
            examined,
            removed,
            ..Self::default()
        }
    }

    /// Estimates the number of expired files in the whole folder. Keys are spread evenly.
    pub(crate) fn estimate(&self) -> u64 {
        let [removed, leaves, all] = [self.removed, self.leaves, self.all_leaves].map(|number| number as u64);
        (removed * all).checked_div(leaves).unwrap_or(0)
    }
}

impl Files {
    /// Removes expired sessions from a position on, until a slice has been examined.
    pub(crate) fn sweep(&self, from: &Position, request: SweepRequest) -> SweepReport {
        let mut slice = SweepSlice {
            files: self,
            request,
            report: SweepReport::default(),
            leases: HashSet::new(),
            dates_are_wrong: false,
            corrupt: Vec::new(),
            began: Instant::now(),
        };
        slice.sweep(from);
        slice.report
    }
}

/// A slice of a sweep in progress.
struct SweepSlice<'a> {
    files: &'a Files,
    request: SweepRequest,
    report: SweepReport,
    /// The names of the leases in the current stripe.
    leases: HashSet<OsString>,
    /// Set once a file has not expired although its date says so.
    dates_are_wrong: bool,
    /// Corrupt files, to be quarantined once the stripe is released.
    corrupt: Vec<CorruptFile>,
    began: Instant,
}

impl SweepSlice<'_> {
    fn sweep(&mut self, from: &Position) {
        let files = self.files;
        let mut next = Some(from.clone());
        while let Some(mut at) = next {
            if at == Position::of_stripe(at.stripe) {
                // A lease that cannot be removed affects no session.
                let _ = files.remove_stale_leases(at.stripe);
            }
            let leaves = files.leaves(at.stripe).unwrap_or_else(|failure| {
                self.note(Err(failure));
                Default::default()
            });
            self.report.all_leaves = leaves.len() * FAN;
            let leases = list(&files.folder.tree.layout.leases(at.stripe));
            self.leases = leases.into_iter().flatten().collect();
            for leaf in leaves.range(at.leaf..) {
                at.advance_to_leaf(*leaf);
                if self.is_complete() || !self.sweep_leaf(&mut at) {
                    self.report.next = Some(at);
                    return;
                }
            }
            self.report.examined += 1;
            next = at.next_stripe();
        }
        self.note(files.folder.tree.check());
    }

    fn note(&mut self, result: Result<()>) {
        match result {
            // A corrupt file has been quarantined and reported, or it is of a later version.
            Ok(()) | Err(Failure::Corrupt(_) | Failure::Quarantined(..)) => {}
            Err(failure) => self.report.failure = self.report.failure.take().or(Some(failure)),
        }
    }

    fn is_complete(&self) -> bool {
        self.report.sessions.len() >= self.request.limit
            || self.report.examined >= SLICE
            || self.report.examined > 0 && self.began.elapsed() >= SLICE_TIME
    }

    /// Sweeps a leaf, and returns whether it reached the end of the leaf.
    fn sweep_leaf(&mut self, at: &mut Position) -> bool {
        let files = self.files;
        self.report.leaves += 1;
        self.report.examined += 1;
        let LeafKeys { records, incoming } = match files.keys_in_leaf(at, true) {
            Ok(keys) => keys,
            Err(failure) => {
                self.note(Err(failure));
                return true;
            }
        };
        self.report.examined += records.len() + incoming.len();
        for key in &incoming {
            self.note(files.with_retries(|files| files.recover_rotation(key)));
        }
        let layout = &files.folder.tree.layout;
        let due: Vec<_> = records
            .into_iter()
            .filter(|key| may_have_expired(&layout.record(key), self.request.before))
            .collect();
        let mut rest = &due[..];
        while !rest.is_empty() {
            let room = self.request.limit - self.report.sessions.len();
            let (batch, later) = rest.split_at(rest.len().min(BATCH).min(room));
            self.remove_expired(batch);
            for file in std::mem::take(&mut self.corrupt) {
                let failure = files.quarantine.isolate(&files.folder, file);
                self.note(Err(failure));
            }
            rest = later;
            if let Some(last) = batch.last() {
                at.advance_past(name_of(last));
            }
            if self.is_complete() {
                return false;
            }
        }
        true
    }

    /// Removes the expired sessions of a batch of keys in one leaf.
    fn remove_expired(&mut self, keys: &[SessionKey]) {
        let (files, before) = (self.files, self.request.before);
        let mut expired = keys.to_owned();
        if self.dates_are_wrong {
            // As after a restore without dates: check before the stripe is locked, so that sessions that have not
            // expired cost others no wait.
            expired.retain(|key| {
                let has_expired = files.with_retries(|files| {
                    let path = files.folder.tree.layout.record(key);
                    let contents = files.folder.load(&path, key, Part::Header)?;
                    Ok(contents.is_some_and(|contents| is_missing(interpret(contents, before))))
                });
                has_expired.unwrap_or_else(|failure| {
                    self.note(Err(failure));
                    false
                })
            });
        }
        let mut rest = &expired[..];
        let mut attempts = 0;
        while let Some((first, later)) = rest.split_first() {
            let left = rest.len();
            match files.folder.lock_stripe(stripe_of(first), &[]) {
                Ok(guard) => rest = self.remove_some(&guard, rest),
                Err(failure) => return self.note(Err(failure)),
            }
            attempts = if rest.len() < left { 0 } else { attempts + 1 };
            if attempts == ATTEMPTS {
                self.note(Err(Failure::Revoked));
                (rest, attempts) = (later, 0);
            }
        }
    }

    /// Removes sessions of a batch under one lock of the stripe, and returns the rest.
    ///
    /// Stops when the time is over: another process may have taken over the stripe if this one was stopped.
    fn remove_some<'k>(&mut self, guard: &StripeGuard<'_>, keys: &'k [SessionKey]) -> &'k [SessionKey] {
        let since = Instant::now();
        let mut rest = keys;
        // The first file may take longer, so that a slow disk makes progress.
        let mut limit = self.files.folder.stripes.safe_for();
        while let Some((key, later)) = rest.split_first() {
            match self.remove(guard, (since, limit), key) {
                Err(Failure::Revoked) => break,
                Err(Failure::Corrupt(file)) => self.corrupt.push(file),
                result => self.note(result),
            }
            rest = later;
            limit = limit.min(HOLD);
        }
        rest
    }

    /// Removes one session if it has expired. Fails with [`Failure::Revoked`] if the time is over.
    fn remove(&mut self, guard: &StripeGuard<'_>, (since, limit): (Instant, Duration), key: &SessionKey) -> Result<()> {
        let folder = &self.files.folder;
        let path = folder.tree.layout.record(key);
        let part = if self.request.collect {
            Part::Whole
        } else {
            Part::Header
        };
        let Some(contents) = folder.load(&path, key, part)? else {
            return Ok(());
        };
        if !is_missing(interpret(contents.clone(), self.request.before)) {
            self.dates_are_wrong = true;
            return Ok(());
        }
        if since.elapsed() >= limit {
            return Err(Failure::Revoked);
        }
        folder.promote_successor(guard, &contents.header)?;
        let removed = folder.tree.disk.remove(&path).context("remove a record")?;
        if self.leases.contains(OsStr::new(&name_of(key))) {
            folder.remove_lease(key)?;
        }
        if removed {
            self.report.removed += 1;
            if let (Kind::Record { meta, .. }, true) = (contents.header.kind, self.request.collect) {
                self.report
                    .sessions
                    .push(Stored::new(*key, Record::new(meta, contents.payload)));
            }
        }
        Ok(())
    }
}

fn is_missing(state: Result<KeyState>) -> bool {
    matches!(state, Ok(KeyState::Missing))
}

/// Returns whether the date of a file allows that it has expired. A file is dated to the time at which it expires.
fn may_have_expired(path: &Path, before: Timestamp) -> bool {
    let Ok(date) = std::fs::symlink_metadata(path).and_then(|metadata| metadata.modified()) else {
        return true;
    };
    date <= SystemTime::UNIX_EPOCH + Duration::from_millis(before.as_millis()) + DATE_RESOLUTION
}
