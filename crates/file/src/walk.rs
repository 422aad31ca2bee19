//! Going through all sessions, a bounded slice at a time: for scans and sweeps.

use sessile_core::{Meta, SessionKey};
use std::collections::BTreeSet;
use std::ffi::OsString;

use crate::disk::list;
use crate::failure::{Doing, Failure, Result};
use crate::files::Files;
use crate::layout::{MOVING, key_of, leaf_of, name_of, stripe_of};
use crate::lookup::{Part, State};

/// How many files and folders are looked at in one go, roughly.
const SLICE: usize = 1_024;

/// Where in the folder a walk is: everything before has been seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Position {
    stripe: u8,
    leaf: u8,
    /// The last name seen in this leaf.
    after: String,
}

/// What a slice of a walk has found, and where to go on; `None` at the end.
pub(crate) struct Slice<T> {
    pub(crate) found: Vec<T>,
    pub(crate) next: Option<Position>,
}

impl Position {
    fn stripe_start(&self) -> Self {
        Self {
            stripe: self.stripe,
            ..Self::default()
        }
    }

    fn next_stripe(&self) -> Option<Self> {
        let stripe = self.stripe.checked_add(1)?;
        Some(Self {
            stripe,
            ..Self::default()
        })
    }

    /// As text, for a cursor.
    pub(crate) fn to_text(&self) -> String {
        format!("{:02x}/{:02x}/{}", self.stripe, self.leaf, self.after)
    }

    /// Reads a cursor.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(text).ok()?.splitn(3, '/');
        let mut byte = || u8::from_str_radix(parts.next()?, 16).ok();
        let (stripe, leaf) = (byte()?, byte()?);
        let after = parts.next()?;
        (after.is_empty() || key_of(after).is_some()).then(|| Self {
            stripe,
            leaf,
            after: after.to_owned(),
        })
    }
}

impl Files {
    /// Lists live sessions.
    pub(crate) fn scan(&self, from: &Position, limit: usize) -> Result<Slice<(SessionKey, Meta)>> {
        self.walk(from, limit, false, |key, found| {
            match self.folder.state(key, Part::Head) {
                Ok(State::Live(live)) => found.push((*key, live.meta)),
                Ok(_) | Err(Failure::Flawed(_) | Failure::SetAside(..)) => {}
                Err(failure) => return Err(failure),
            }
            Ok(())
        })
    }

    /// Visits the keys from a position on until enough was found or looked at, and tidies up on the way if asked to.
    pub(crate) fn walk<T>(
        &self,
        from: &Position,
        limit: usize,
        tidy: bool,
        mut visit: impl FnMut(&SessionKey, &mut Vec<T>) -> Result<()>,
    ) -> Result<Slice<T>> {
        let mut found = Vec::new();
        let mut looked = 0;
        let mut next = Some(from.clone());
        while let Some(mut at) = next {
            if tidy && at == at.stripe_start() {
                // What cannot be removed is in nobody's way.
                let _ = self.tidy_leases(at.stripe);
            }
            for leaf in self.leaves(at.stripe)?.range(at.leaf..) {
                if *leaf > at.leaf {
                    (at.leaf, at.after) = (*leaf, String::new());
                }
                if looked >= SLICE {
                    return Ok(Slice { found, next: Some(at) });
                }
                for key in self.keys_in_leaf(&at, tidy)? {
                    if found.len() >= limit || looked >= SLICE {
                        return Ok(Slice { found, next: Some(at) });
                    }
                    visit(&key, &mut found)?;
                    at.after = name_of(&key);
                    looked += 1;
                }
                looked += 1;
            }
            looked += 1;
            next = at.next_stripe();
        }
        self.folder.instance.check_folder()?;
        Ok(Slice { found, next: None })
    }

    /// The leaves of a stripe.
    fn leaves(&self, stripe: u8) -> Result<BTreeSet<u8>> {
        let names = list(&self.folder.layout.stripe(stripe)).doing("list sessions")?;
        let leaf = |name: OsString| {
            name.to_str()
                .filter(|name| name.len() == 2)
                .map(|name| u8::from_str_radix(name, 16))
        };
        Ok(names.into_iter().filter_map(leaf).flatten().collect())
    }

    /// The keys in a leaf that come after a position, in order.
    fn keys_in_leaf(&self, at: &Position, tidy: bool) -> Result<BTreeSet<SessionKey>> {
        let leaf = self.folder.layout.leaf(at.stripe, at.leaf);
        // File systems may skip a name that is replaced while they list it, so nothing is replaced meanwhile.
        // A sweeper comes by again.
        let held = if tidy {
            None
        } else {
            Some(self.folder.enter(at.stripe).hold(&[])?)
        };
        let names = list(&leaf).doing("list sessions")?;
        drop(held);
        let mut keys = BTreeSet::new();
        for name in &names {
            let plain = name.to_str().map(|name| name.strip_suffix(MOVING).unwrap_or(name));
            match plain.and_then(key_of) {
                Some(key) if stripe_of(&key) == at.stripe && leaf_of(&key) == at.leaf => {
                    keys.insert(key);
                }
                _ if tidy => self.remove_foreign(&leaf.join(name)),
                _ => {}
            }
        }
        keys.retain(|key| name_of(key) > at.after);
        Ok(keys)
    }
}
