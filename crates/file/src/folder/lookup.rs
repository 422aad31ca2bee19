//! Reading records, and following the marks of rotations.

use std::io;
use std::path::Path;

use bytes::Bytes;
use sessile_core::{KeyWalk, Lookup, Meta, SessionKey, Timestamp};

use crate::failure::{Context, CorruptFile, Corruption, Failure, FormatError, Result};
use crate::folder::Folder;
use crate::folder::disk::{is_unreadable, open, read_up_to};
use crate::folder::format::{
    BodyLengths, FileContents, HEADER_LEN, Header, Kind, Nonce, Origin, check_body, decode_header,
};

/// The part of a file to read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The header, and the facts behind it if there are any: all metadata.
    Header,
    Whole,
}

/// The state of a key at one moment.
#[derive(Debug)]
pub(crate) enum KeyState {
    Live(LiveRecord),
    Alias(SessionKey),
    /// A tombstone of the session that has moved to this key.
    Superseded(SessionKey),
    Missing,
}

/// The record of a session that has not expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LiveRecord {
    pub(crate) stamp: Nonce,
    pub(crate) meta: Meta,
    pub(crate) from: Option<Origin>,
    pub(crate) payload_len: u64,
    /// Empty if only the header was read.
    pub(crate) payload: Bytes,
}

impl Folder {
    /// Returns the state of a key.
    pub(crate) fn state(&self, key: &SessionKey, part: Part) -> Result<KeyState> {
        let now = self.clocks.now();
        match self.find(key, part)? {
            Some(contents) => interpret(contents, now),
            None => Ok(KeyState::Missing),
        }
    }

    /// Returns the record of a session, following aliases.
    pub(crate) fn resolve(&self, key: &SessionKey, part: Part) -> Result<Lookup<(SessionKey, LiveRecord)>> {
        let is_alias = |state: &KeyState| matches!(state, KeyState::Alias(_));
        self.walk(KeyWalk::aliases(*key), part, is_alias)
    }

    /// Returns the record of a session, following aliases and tombstones.
    pub(crate) fn trace(&self, key: &SessionKey) -> Result<Lookup<(SessionKey, LiveRecord)>> {
        self.walk(KeyWalk::moves(*key), Part::Header, |_| true)
    }

    /// Follows a session from key to key while `is_followed` permits.
    fn walk(
        &self,
        mut walk: KeyWalk,
        part: Part,
        is_followed: impl Fn(&KeyState) -> bool,
    ) -> Result<Lookup<(SessionKey, LiveRecord)>> {
        loop {
            let state = self.state(walk.key(), part)?;
            let may_follow = is_followed(&state);
            match state {
                KeyState::Live(live) => return Ok(Lookup::Found((*walk.key(), live))),
                KeyState::Missing => return Ok(walk.not_found()),
                KeyState::Alias(to) | KeyState::Superseded(to)
                    if may_follow && walk.follow(to).map_err(Failure::Refused)? => {}
                KeyState::Alias(_) | KeyState::Superseded(_) => return Ok(Lookup::Superseded),
            }
        }
    }

    /// Returns the contents of the valid file of a key.
    pub(crate) fn find(&self, key: &SessionKey, part: Part) -> Result<Option<FileContents>> {
        let path = self.tree.layout.record(key);
        if let Some(contents) = self.load(&path, key, part)? {
            return Ok(Some(contents));
        }
        if let Some(contents) = self.load(&self.tree.layout.moving(key), key, part)? {
            // A rotated record is valid once the mark under the old key points to it.
            if let Kind::Record { from: Some(origin), .. } = &contents.header.kind
                && self.points_to(&origin.key, key, contents.header.stamp)?
            {
                return Ok(Some(contents));
            }
        }
        // It may have been renamed to its final name between the two reads.
        let found = self.load(&path, key, part)?;
        if found.is_none() {
            self.tree.check()?;
        }
        Ok(found)
    }

    /// Returns whether the mark under `old` points to the record under `new` with this stamp.
    pub(crate) fn points_to(&self, old: &SessionKey, new: &SessionKey, stamp: Nonce) -> Result<bool> {
        let contents = self.load(&self.tree.layout.record(old), old, Part::Header)?;
        Ok(contents.is_some_and(|FileContents { header, .. }| match header.kind {
            Kind::Moved { to, .. } => to == *new && header.stamp == stamp,
            _ => false,
        }))
    }

    /// Reads one file of a key.
    pub(crate) fn load(&self, path: &Path, key: &SessionKey, part: Part) -> Result<Option<FileContents>> {
        let corrupt = |corruption| {
            Failure::Corrupt(CorruptFile {
                path: path.to_owned(),
                key: *key,
                corruption,
            })
        };
        let contents = match load(path, part) {
            Ok(Some(Ok(contents))) => contents,
            Ok(Some(Err(error))) => return Err(corrupt(Corruption::Format(error))),
            Ok(None) => return Ok(None),
            Err(error) if is_unreadable(&error) => return Err(corrupt(Corruption::Unreadable(error))),
            Err(error) => return Err(error).context("read a record"),
        };
        if contents.header.key != *key || matches!(contents.header.kind, Kind::Lease { .. }) {
            return Err(corrupt(Corruption::Format(FormatError::Foreign)));
        }
        Ok(Some(contents))
    }
}

/// Reads one file, of any key.
fn load(path: &Path, part: Part) -> io::Result<Option<Result<FileContents, FormatError>>> {
    let (file, length) = match open(path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let first = read_up_to(&file, HEADER_LEN as u64)?;
    let (header, lengths) = match decode_header(&first, length) {
        Ok(decoded) => decoded,
        Err(error) => return Ok(Some(Err(error))),
    };
    let body = read_up_to(
        &file,
        match part {
            Part::Header => lengths.facts.into(),
            Part::Whole => lengths.total(),
        },
    )?;
    Ok(Some(assemble(header, lengths, &first, body.into(), part)))
}

/// Combines the parts of a file after checking them.
fn assemble(
    mut header: Header,
    lengths: BodyLengths,
    first: &[u8],
    mut body: Bytes,
    part: Part,
) -> Result<FileContents, FormatError> {
    if part == Part::Whole {
        check_body(first, &body)?;
    }
    let facts = body.split_to(body.len().min(lengths.facts.into()));
    header.read_facts(first, &facts)?;
    Ok(FileContents {
        header,
        payload_len: lengths.payload,
        payload: body,
    })
}

/// Returns the state that a file gives its key at a time.
pub(crate) fn interpret(contents: FileContents, now: Timestamp) -> Result<KeyState> {
    let Header { key, stamp, kind } = contents.header;
    Ok(match kind {
        Kind::Record { meta, from } if !meta.has_expired(now) => KeyState::Live(LiveRecord {
            from,
            stamp,
            meta,
            payload_len: contents.payload_len,
            payload: contents.payload,
        }),
        Kind::Moved { to, alias_until, .. } if now < alias_until => KeyState::Alias(to),
        Kind::Moved { to, until, .. } if now < until => KeyState::Superseded(to),
        Kind::Quarantined { until } if now < until => return Err(Failure::Quarantined(key, None)),
        Kind::Record { .. } | Kind::Moved { .. } | Kind::Quarantined { .. } | Kind::Ended | Kind::Lease { .. } => {
            KeyState::Missing
        }
    })
}
