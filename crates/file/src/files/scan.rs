//! Going through all sessions, a bounded slice at a time: for scans and sweeps.

use sessile_core::{Meta, SessionKey};
use std::collections::BTreeSet;
use std::ffi::OsString;

use crate::failure::{Doing, Failure, Result};
use crate::files::Files;
use crate::folder::disk::list;
use crate::folder::layout::{MOVING, key_of, leaf_of, name_of, stripe_of};
use crate::folder::lookup::{Part, State};

/// How many files and folders are looked at in one go, roughly.
pub(crate) const SLICE: usize = 1_024;

/// Where in the folder a walk is: everything before has been seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Position {
    stripe: u8,
    leaf: u8,
    /// The last name seen in this leaf.
    after: String,
}

/// What a slice of a walk has found, and where to go on; `None` at the end.
pub(crate) struct Slice {
    pub(crate) found: Vec<(SessionKey, Meta)>,
    pub(crate) next: Option<Position>,
}

/// The keys in a leaf.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) records: BTreeSet<SessionKey>,
    /// Keys to which a record is arriving by rotation.
    pub(crate) arriving: BTreeSet<SessionKey>,
}

impl Position {
    pub(crate) fn of_stripe(stripe: u8) -> Self {
        Self {
            stripe,
            ..Self::default()
        }
    }

    pub(crate) const fn stripe(&self) -> u8 {
        self.stripe
    }

    pub(crate) const fn leaf(&self) -> u8 {
        self.leaf
    }

    /// Goes on to a leaf, if it is not in it already.
    pub(crate) fn enter(&mut self, leaf: u8) {
        if leaf > self.leaf {
            (self.leaf, self.after) = (leaf, String::new());
        }
    }

    /// Goes on behind a name in the leaf.
    pub(crate) fn pass(&mut self, name: String) {
        self.after = name;
    }

    pub(crate) fn stripe_start(&self) -> Self {
        Self::of_stripe(self.stripe)
    }

    pub(crate) fn next_stripe(&self) -> Option<Self> {
        self.stripe.checked_add(1).map(Self::of_stripe)
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
    /// Lists live sessions, from a position on, until enough was found or looked at.
    pub(crate) fn scan(&self, from: &Position, limit: usize) -> Result<Slice> {
        let mut found = Vec::new();
        let mut looked = 0;
        let mut next = Some(from.clone());
        while let Some(mut at) = next {
            for leaf in self.leaves(at.stripe)?.range(at.leaf..) {
                at.enter(*leaf);
                if looked >= SLICE {
                    return Ok(Slice { found, next: Some(at) });
                }
                let Keys { records, arriving } = self.keys_in_leaf(&at, false)?;
                for key in records.union(&arriving) {
                    if found.len() >= limit || looked >= SLICE {
                        return Ok(Slice { found, next: Some(at) });
                    }
                    found.extend(self.listed(key)?);
                    at.pass(name_of(key));
                    looked += 1;
                }
                looked += 1;
            }
            looked += 1;
            next = at.next_stripe();
        }
        self.folder.check()?;
        Ok(Slice { found, next: None })
    }

    /// Returns what a scan lists of a key. One that is damaged, or may not be read, is a session that nobody can use:
    /// those who ask for it are told, and the others are listed all the same.
    fn listed(&self, key: &SessionKey) -> Result<Option<(SessionKey, Meta)>> {
        match self.folder.state(key, Part::Head) {
            Ok(State::Live(live)) => Ok(Some((*key, live.meta))),
            Ok(_) | Err(Failure::Flawed(_) | Failure::SetAside(..)) => Ok(None),
            Err(failure) if failure.is_denied() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The leaves of a stripe.
    pub(crate) fn leaves(&self, stripe: u8) -> Result<BTreeSet<u8>> {
        let names = list(&self.folder.layout.stripe(stripe)).doing("list sessions")?;
        let leaf = |name: OsString| {
            name.to_str()
                .filter(|name| name.len() == 2)
                .map(|name| u8::from_str_radix(name, 16))
        };
        Ok(names.into_iter().filter_map(leaf).flatten().collect())
    }

    /// The keys in a leaf that come after a position, in order. What has another name is moved out of the way if the
    /// leaf is to be tidied.
    pub(crate) fn keys_in_leaf(&self, at: &Position, tidy: bool) -> Result<Keys> {
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
        let mut keys = Keys::default();
        for name in &names {
            let (plain, set) = match name.to_str() {
                Some(name) => match name.strip_suffix(MOVING) {
                    Some(plain) => (Some(plain), &mut keys.arriving),
                    None => (Some(name), &mut keys.records),
                },
                None => (None, &mut keys.records),
            };
            match plain.and_then(key_of) {
                Some(key) if stripe_of(&key) == at.stripe && leaf_of(&key) == at.leaf => {
                    set.insert(key);
                }
                _ if tidy => self.remove_foreign(&leaf.join(name)),
                _ => {}
            }
        }
        for set in [&mut keys.records, &mut keys.arriving] {
            set.retain(|key| name_of(key) > at.after);
        }
        Ok(keys)
    }
}
