//! Finding out what stands under a key.

use std::io;
use std::path::Path;

use bytes::Bytes;
use sessile_core::{MAX_ALIASES, Meta, SessionKey, StorageErrorKind, Timestamp};

use crate::failure::{Doing, Failure, Flawed, Result, Why};
use crate::folder::Folder;
use crate::folder::disk::{is_unreadable, open, read_up_to};
use crate::folder::format::{Entry, Flaw, HEAD, Head, Kind, Nonce, Origin, check_body, decode_head};

/// How much of a file is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Head,
    Whole,
}

/// What stands under a key, at one moment.
#[derive(Debug)]
pub(crate) enum State {
    Live(Live),
    Alias(SessionKey),
    /// A tombstone of the session that has moved to this key.
    Superseded(SessionKey),
    Missing,
}

/// A record that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) stamp: Nonce,
    pub(crate) meta: Meta,
    pub(crate) from: Option<Origin>,
    /// Empty where only the head was asked for.
    pub(crate) body: Bytes,
}

/// What stands under a key once aliases have been followed.
#[derive(Debug)]
pub(crate) enum Resolved {
    Live(SessionKey, Live),
    Superseded,
    Missing,
}

impl Folder {
    /// What stands under a key.
    pub(crate) fn state(&self, key: &SessionKey, part: Part) -> Result<State> {
        let now = self.now();
        match self.find(key, part)? {
            Some(entry) => interpret(entry, now),
            None => Ok(State::Missing),
        }
    }

    /// What stands under a key or under the key it is an alias of.
    pub(crate) fn resolve(&self, key: &SessionKey, part: Part) -> Result<Resolved> {
        let alias = |state: &State| match state {
            State::Alias(to) => Some(*to),
            _ => None,
        };
        self.follow(key, part, MAX_ALIASES, alias)
    }

    /// What stands under a key or wherever the session that was once there has moved to.
    pub(crate) fn trace(&self, key: &SessionKey) -> Result<Resolved> {
        let moved = |state: &State| match state {
            State::Alias(to) | State::Superseded(to) => Some(*to),
            _ => None,
        };
        self.follow(key, Part::Head, usize::MAX, moved)
    }

    /// Goes from key to key, as often as `limit` says, as long as what stands there leads on.
    fn follow(
        &self,
        key: &SessionKey,
        part: Part,
        limit: usize,
        leads_to: impl Fn(&State) -> Option<SessionKey>,
    ) -> Result<Resolved> {
        let mut key = *key;
        let mut steps = 0_usize;
        // One of the keys that were passed. Whoever goes round in a circle without a limit comes by again.
        let mut passed = key;
        loop {
            let state = self.state(&key, part)?;
            let to = leads_to(&state).filter(|_| steps < limit);
            key = match (state, to) {
                (State::Live(live), _) => return Ok(Resolved::Live(key, live)),
                // Whoever was led away from the first key has moved.
                (State::Missing, _) if steps == 0 => return Ok(Resolved::Missing),
                (_, None) => return Ok(Resolved::Superseded),
                (_, Some(to)) => to,
            };
            if limit == usize::MAX && key == passed {
                return Err(Failure::Refused(StorageErrorKind::Corrupt));
            }
            steps += 1;
            if steps.is_power_of_two() {
                passed = key;
            }
        }
    }

    /// The file of a key, whatever it says.
    pub(crate) fn find(&self, key: &SessionKey, part: Part) -> Result<Option<Entry>> {
        let path = self.layout.record(key);
        if let Some(entry) = self.load(&path, key, part)? {
            return Ok(Some(entry));
        }
        if let Some(entry) = self.load(&self.layout.moving(key), key, part)? {
            // It counts once the old key points to it.
            if let Kind::Record { from: Some(origin), .. } = &entry.head.kind
                && self.points_to(&origin.key, key, entry.head.stamp)?
            {
                return Ok(Some(entry));
            }
        }
        // It may have got its final name in the meantime.
        let found = self.load(&path, key, part)?;
        if found.is_none() {
            self.check()?;
        }
        Ok(found)
    }

    /// Whether the session under `old` has moved to `new`, to the record with this stamp.
    pub(crate) fn points_to(&self, old: &SessionKey, new: &SessionKey, stamp: Nonce) -> Result<bool> {
        let entry = self.load(&self.layout.record(old), old, Part::Head)?;
        Ok(entry.is_some_and(|Entry { head, .. }| match head.kind {
            Kind::Moved { to, .. } => to == *new && head.stamp == stamp,
            _ => false,
        }))
    }

    /// Reads one file.
    pub(crate) fn load(&self, path: &Path, key: &SessionKey, part: Part) -> Result<Option<Entry>> {
        let flawed = |why| {
            Failure::Flawed(Flawed {
                path: path.to_owned(),
                key: *key,
                why,
            })
        };
        let entry = match load(path, part) {
            Ok(Some(Ok(entry))) => entry,
            Ok(Some(Err(flaw))) => return Err(flawed(Why::Bytes(flaw))),
            Ok(None) => return Ok(None),
            Err(error) if is_unreadable(&error) => return Err(flawed(Why::Unreadable(error))),
            Err(error) => return Err(error).doing("read a record"),
        };
        if entry.head.key != *key || matches!(entry.head.kind, Kind::Lease { .. }) {
            return Err(flawed(Why::Bytes(Flaw::Foreign)));
        }
        Ok(Some(entry))
    }
}

/// Reads one file, whosever it is.
pub(crate) fn load(path: &Path, part: Part) -> io::Result<Option<Result<Entry, Flaw>>> {
    let (file, length) = match open(path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let first = read_up_to(&file, HEAD as u64)?;
    let (head, body_length) = match decode_head(&first, length) {
        Ok(decoded) => decoded,
        Err(flaw) => return Ok(Some(Err(flaw))),
    };
    let body = match part {
        Part::Head => Bytes::new(),
        Part::Whole => {
            let body = read_up_to(&file, body_length)?;
            if let Err(flaw) = check_body(&first, &body) {
                return Ok(Some(Err(flaw)));
            }
            body.into()
        }
    };
    Ok(Some(Ok(Entry { head, body })))
}

/// What a file means at this moment.
pub(crate) fn interpret(entry: Entry, now: Timestamp) -> Result<State> {
    let Head { key, stamp, kind } = entry.head;
    Ok(match kind {
        Kind::Record { meta, from } if !meta.has_expired(now) => State::Live(Live {
            from,
            stamp,
            meta,
            body: entry.body,
        }),
        Kind::Moved { to, alias_until, .. } if now < alias_until => State::Alias(to),
        Kind::Moved { to, until, .. } if now < until => State::Superseded(to),
        Kind::SetAside { until } if now < until => return Err(Failure::SetAside(key, None)),
        Kind::Record { .. } | Kind::Moved { .. } | Kind::SetAside { .. } | Kind::Ended | Kind::Lease { .. } => {
            State::Missing
        }
    })
}
