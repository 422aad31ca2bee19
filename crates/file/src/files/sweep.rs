//! Removing what is over, a bounded slice at a time.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use sessile_core::{Record, SessionKey, Stored, Timestamp};

use crate::failure::{Doing, Failure, Flawed, Result};
use crate::files::Files;
use crate::files::scan::{Keys, Position, SLICE};
use crate::folder::disk::list;
use crate::folder::format::Kind;
use crate::folder::layout::{FAN, name_of, stripe_of};
use crate::folder::lookup::{Part, State, interpret};
use crate::folder::stripes::Held;

/// Dates of files may be as coarse as this.
const COARSE: Duration = Duration::from_secs(2);

/// How long a slice takes, roughly, however many files there are.
const SLICE_TIME: Duration = Duration::from_millis(50);

/// How many files are removed, and for how long, while others are kept out of their stripe.
const BATCH: usize = 32;
const HOLD: Duration = Duration::from_millis(5);

/// How often a file is tried that cannot be read in the time in which a stripe is one's own for certain.
const ATTEMPTS: usize = 8;

/// The extent of a sweep.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    /// The moment by which a session must have ended to be over.
    pub(crate) now: Timestamp,
    /// How many sessions are to be removed, at most.
    pub(crate) limit: usize,
    /// Whether those that are removed are asked for, with their payloads. If not, they are only counted.
    pub(crate) asked_for: bool,
}

/// The outcome of a slice of a sweep.
#[derive(Debug)]
pub(crate) struct Swept {
    /// The sessions that were removed, if they were asked for.
    pub(crate) sessions: Vec<Stored>,
    /// How many files were removed.
    pub(crate) removed: usize,
    /// How many files and folders were looked at.
    pub(crate) looked: usize,
    /// In how many leaves.
    leaves: usize,
    /// How many leaves there are, by those of the stripe that was seen last.
    all_leaves: usize,
    /// Where to go on; `None` at the end.
    pub(crate) next: Option<Position>,
    /// The names of the leases in the stripe that is swept.
    leases: HashSet<OsString>,
    /// Whether files were found whose date says that they are over, and which are not.
    dates_are_wrong: bool,
    /// Files that are to be set aside, once others can come in.
    flawed: Vec<Flawed>,
    /// The first trouble there was. What cannot be removed does not keep the rest from being swept.
    pub(crate) trouble: Option<Failure>,
    began: Instant,
}

impl Swept {
    fn new() -> Self {
        Self {
            sessions: Vec::new(),
            removed: 0,
            looked: 0,
            leaves: 0,
            all_leaves: 0,
            next: None,
            leases: HashSet::new(),
            dates_are_wrong: false,
            flawed: Vec::new(),
            trouble: None,
            began: Instant::now(),
        }
    }

    #[cfg(test)]
    pub(crate) fn of(looked: usize, removed: usize) -> Self {
        Self {
            looked,
            removed,
            ..Self::new()
        }
    }

    fn note(&mut self, outcome: Result<()>) {
        match outcome {
            // It has been set aside and reported, or it is of a later version.
            Ok(()) | Err(Failure::Flawed(_) | Failure::SetAside(..)) => {}
            Err(failure) => self.trouble = self.trouble.take().or(Some(failure)),
        }
    }

    fn is_enough(&self, order: Order) -> bool {
        self.sessions.len() >= order.limit
            || self.looked >= SLICE
            || self.looked > 0 && self.began.elapsed() >= SLICE_TIME
    }

    /// How many files in the whole folder are over, if they are spread as evenly as keys are.
    pub(crate) fn estimate(&self) -> u64 {
        let [removed, leaves, all] = [self.removed, self.leaves, self.all_leaves].map(|number| number as u64);
        (removed * all).checked_div(leaves).unwrap_or(0)
    }
}

impl Files {
    /// Removes what is over, from a position on, until a slice has been looked at.
    pub(crate) fn sweep(&self, from: &Position, order: Order) -> Swept {
        let mut swept = Swept::new();
        let mut next = Some(from.clone());
        while let Some(mut at) = next {
            if at == at.stripe_start() {
                // A lease that cannot be removed is in nobody's way.
                let _ = self.tidy_leases(at.stripe());
            }
            let leaves = match self.leaves(at.stripe()) {
                Ok(leaves) => leaves,
                Err(failure) => {
                    swept.note(Err(failure));
                    Default::default()
                }
            };
            swept.all_leaves = leaves.len() * FAN;
            let leases = list(&self.folder.layout.leases(at.stripe()));
            swept.leases = leases.into_iter().flatten().collect();
            for leaf in leaves.range(at.leaf()..) {
                at.enter(*leaf);
                if swept.is_enough(order) || !self.sweep_leaf(&mut at, order, &mut swept) {
                    swept.next = Some(at);
                    return swept;
                }
            }
            swept.looked += 1;
            next = at.next_stripe();
        }
        swept.note(self.folder.check());
        swept
    }

    /// Sweeps a leaf, and says whether it came to the end of it.
    fn sweep_leaf(&self, at: &mut Position, order: Order, swept: &mut Swept) -> bool {
        swept.leaves += 1;
        swept.looked += 1;
        let Keys { records, arriving } = match self.keys_in_leaf(at, true) {
            Ok(keys) => keys,
            Err(failure) => {
                swept.note(Err(failure));
                return true;
            }
        };
        swept.looked += records.len() + arriving.len();
        for key in &arriving {
            swept.note(self.take_step(|files| files.remove_stray(key)));
        }
        let layout = &self.folder.layout;
        let due: Vec<_> = records
            .into_iter()
            .filter(|key| may_be_over(&layout.record(key), order.now))
            .collect();
        let mut rest = &due[..];
        while !rest.is_empty() {
            let room = order.limit - swept.sessions.len();
            let (batch, later) = rest.split_at(rest.len().min(BATCH).min(room));
            self.remove_if_over(batch, order, swept);
            for flawed in std::mem::take(&mut swept.flawed) {
                let failure = self.set_aside(flawed);
                swept.note(Err(failure));
            }
            rest = later;
            if let Some(last) = batch.last() {
                at.pass(name_of(last));
            }
            if swept.is_enough(order) {
                return false;
            }
        }
        true
    }

    /// Removes those of the sessions of one leaf that are over.
    fn remove_if_over(&self, keys: &[SessionKey], order: Order, swept: &mut Swept) {
        let mut over = keys.to_owned();
        if swept.dates_are_wrong {
            // As after a restore without dates: nobody is to be kept out for those that are not over.
            over.retain(|key| {
                let is_over = self.take_step(|files| {
                    let entry = files.folder.load(&files.folder.layout.record(key), key, Part::Head)?;
                    Ok(entry.is_some_and(|entry| is_over(interpret(entry, order.now))))
                });
                is_over.unwrap_or_else(|failure| {
                    swept.note(Err(failure));
                    false
                })
            });
        }
        let mut over = &over[..];
        let mut attempts = 0;
        while let Some((first, later)) = over.split_first() {
            let before = over.len();
            match self.folder.enter(stripe_of(first)).hold(&[]) {
                Ok(held) => over = self.remove_some(&held, over, order, swept),
                Err(failure) => return swept.note(Err(failure)),
            }
            attempts = if over.len() < before { 0 } else { attempts + 1 };
            if attempts == ATTEMPTS {
                swept.note(Err(Failure::Revoked));
                (over, attempts) = (later, 0);
            }
        }
    }

    /// Removes some of a batch under one hold of the stripe, and returns the rest. A process that has stood still does
    /// not go on, because others may have taken the stripe away from it.
    fn remove_some<'a>(
        &self,
        held: &Held<'_>,
        keys: &'a [SessionKey],
        order: Order,
        swept: &mut Swept,
    ) -> &'a [SessionKey] {
        let since = Instant::now();
        let mut rest = keys;
        // The first has more time: a disk may be slow.
        let mut limit = self.folder.stripes.safe_for();
        while let Some((key, later)) = rest.split_first() {
            match self.remove(held, (since, limit), key, order, swept) {
                Err(Failure::Revoked) => break,
                Err(Failure::Flawed(file)) => swept.flawed.push(file),
                outcome => swept.note(outcome),
            }
            rest = later;
            limit = limit.min(HOLD);
        }
        rest
    }

    /// Removes one of a batch, if it is over, as long as there is time.
    fn remove(
        &self,
        held: &Held<'_>,
        (since, limit): (Instant, Duration),
        key: &SessionKey,
        order: Order,
        swept: &mut Swept,
    ) -> Result<()> {
        let folder = &self.folder;
        let path = folder.layout.record(key);
        let part = if order.asked_for { Part::Whole } else { Part::Head };
        let Some(entry) = folder.load(&path, key, part)? else {
            return Ok(());
        };
        if !is_over(interpret(entry.clone(), order.now)) {
            swept.dates_are_wrong = true;
            return Ok(());
        }
        if since.elapsed() >= limit {
            return Err(Failure::Revoked);
        }
        self.let_go(held, &entry.head)?;
        let removed = folder.disk.remove(&path).doing("remove a record")?;
        if swept.leases.contains(OsStr::new(&name_of(key))) {
            folder.remove_lease(key)?;
        }
        if removed {
            swept.removed += 1;
            if let (Kind::Record { meta, .. }, true) = (entry.head.kind, order.asked_for) {
                swept.sessions.push(Stored::new(*key, Record::new(meta, entry.body)));
            }
        }
        Ok(())
    }
}

fn is_over(state: Result<State>) -> bool {
    matches!(state, Ok(State::Missing))
}

/// Whether the date of a file allows for it to be over: files are dated to the moment at which they are.
fn may_be_over(path: &Path, now: Timestamp) -> bool {
    let Ok(date) = std::fs::symlink_metadata(path).and_then(|metadata| metadata.modified()) else {
        return true;
    };
    date <= SystemTime::UNIX_EPOCH + Duration::from_millis(now.as_millis()) + COARSE
}
