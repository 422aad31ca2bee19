//! [`Plain`]: values kept in their encoded form. Without lifetimes and extensions only their offsets matter, and among
//! few values these are found by iterating.

use super::entry::{Entry, Value};
use super::error::RecordError;
use super::iter::{Bounds, ENDLESS, Iter, as_text, encode_value};
use super::wire::{Name, Reader, Span};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;

/// Values without lifetimes and extensions, in encoded form, in up to three parts.
///
/// `changed` holds the changed values and all values between them. It stands in place of the source between `before`
/// and `after`. The first change therefore copies no other value.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    pub(super) count: usize,
    /// The part of the source before the changed values.
    before: Span,
    changed: Vec<u8>,
    /// The part of the source after the changed values.
    after: Span,
}

/// The place of a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    segment: Segment,
    at: Bounds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    Before,
    Changed,
    After,
}

/// A reference to the JSON text of a value.
pub(super) enum ValueRef<'a> {
    Stored(Span),
    Set(&'a [u8]),
}

impl<'a> ValueRef<'a> {
    #[inline]
    pub(super) fn read(self, source: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Stored(span) => span.read(source),
            Self::Set(json) => json,
        }
    }
}

impl Plain {
    pub(super) const EMPTY: Self = Self {
        count: 0,
        before: Span::EMPTY,
        changed: Vec::new(),
        after: Span::EMPTY,
    };

    /// Reads `count` values if all of them are plain. Otherwise returns `None` and consumes nothing.
    ///
    /// The encoded form is written back as it is, and a session has one canonical encoding. Values whose length has a
    /// longer encoding than necessary are therefore not plain.
    #[inline]
    pub(super) fn read(reader: &mut Reader<'_>, count: usize) -> Result<Option<Self>, RecordError> {
        let start = reader.position;
        for _ in 0..count {
            let name = reader.brief_name()?;
            let is_endless = reader.byte("a lifetime")? == ENDLESS;
            if !(name && is_endless && reader.brief_filled_span("a value")?) {
                reader.position = start;
                return Ok(None);
            }
        }
        let end = Span::new(reader.position, reader.position);
        Ok(Some(Self {
            count,
            before: Span::new(start, reader.position),
            changed: Vec::new(),
            after: end,
        }))
    }

    /// Returns the parts in order. Concatenated, they are the encoded values.
    #[inline]
    pub(super) fn parts<'a>(&'a self, source: &'a [u8]) -> [&'a [u8]; 3] {
        [self.before.read(source), &self.changed, self.after.read(source)]
    }

    #[inline]
    pub(super) fn find(&self, source: &[u8], name: &str) -> Option<Position> {
        let within = |segment, bytes: &[u8], from| {
            let at = Iter { bytes, at: from }.find(|at| bytes[at.name..at.lifetime] == *name.as_bytes())?;
            Some(Position { segment, at })
        };
        within(Segment::Before, &source[..self.before.end()], self.before.start())
            .or_else(|| within(Segment::Changed, &self.changed, 0))
            .or_else(|| within(Segment::After, &source[..self.after.end()], self.after.start()))
    }

    pub(super) fn value(&self, position: Position) -> ValueRef<'_> {
        let Bounds { json, end, .. } = position.at;
        match position.segment {
            Segment::Changed => ValueRef::Set(&self.changed[json..end]),
            Segment::Before | Segment::After => ValueRef::Stored(Span::new(json, end)),
        }
    }

    /// Sets the value at `position`, or appends it.
    pub(super) fn set(&mut self, source: &[u8], position: Option<Position>, name: &str, json: Vec<u8>) {
        let value = encode_value(name, json);
        match position {
            Some(position) => self.replace(source, position, value),
            None => self.append(source, value),
        }
    }

    pub(super) fn remove(&mut self, source: &[u8], position: Position) {
        self.replace(source, position, Vec::new());
        self.count -= 1;
    }

    /// Renames the value at `position`.
    pub(super) fn rename(&mut self, source: &[u8], position: Position, name: &str) {
        let json = self.value(position).read(source).to_vec();
        self.replace(source, position, encode_value(name, json));
    }

    /// Returns the names in order.
    pub(super) fn names<'a>(&'a self, source: &'a [u8]) -> impl Iterator<Item = &'a str> {
        let walk = |bytes| Iter { bytes, at: 0 }.map(move |at| as_text(&bytes[at.name..at.lifetime]));
        self.parts(source).into_iter().flat_map(walk)
    }

    /// Returns the values as entries of an index.
    pub(super) fn to_entries(&self, source: &[u8]) -> Vec<Entry> {
        let entry = |name, value| Entry {
            name,
            lifetime: Lifetime::ENDLESS,
            since: Timestamp::MIN,
            extensions: Span::EMPTY,
            value,
        };
        let stored = |part: Span| {
            let bytes = &source[..part.end()];
            let at = part.start();
            Iter { bytes, at }.map(move |at| {
                let name = Name::Stored(Span::new(at.name, at.lifetime));
                entry(name, Value::Stored(Span::new(at.json, at.end)))
            })
        };
        let bytes = &*self.changed;
        let changed = Iter { bytes, at: 0 }.map(|at| {
            let name = Name::from(as_text(&bytes[at.name..at.lifetime]));
            entry(name, Value::Set(bytes[at.json..at.end].to_vec()))
        });
        let mut entries = Vec::with_capacity(self.count);
        entries.extend(stored(self.before).chain(changed).chain(stored(self.after)));
        entries
    }

    fn is_changed(&self) -> bool {
        self.before.end() < self.after.start() || !self.changed.is_empty()
    }

    // The operations below allocate before they modify anything, so a failed allocation changes nothing.

    fn append(&mut self, source: &[u8], value: Vec<u8>) {
        let end = self.after.end();
        if self.is_changed() {
            self.extend_back(source, end, end, value);
        } else {
            // The values may be in two parts, if a change was reverted. Join them.
            self.before = Span::new(self.before.start(), end);
            self.after = Span::new(end, end);
            self.changed = value;
        }
        self.count += 1;
    }

    /// Replaces the value at `position` by `value`, which may be empty.
    fn replace(&mut self, source: &[u8], position: Position, value: Vec<u8>) {
        let Bounds { start, end, .. } = position.at;
        match position.segment {
            Segment::Changed if end - start == self.changed.len() => self.changed = value,
            Segment::Changed => {
                self.changed.reserve(value.len());
                drop(self.changed.splice(start..end, value));
            }
            Segment::Before | Segment::After if !self.is_changed() => {
                self.before = Span::new(self.before.start(), start);
                self.after = Span::new(end, self.after.end());
                self.changed = value;
            }
            Segment::Before => self.extend_front(source, start, end, value),
            Segment::After => self.extend_back(source, start, end, value),
        }
    }

    /// Replaces a value in `before` and extends `changed` to begin with it.
    fn extend_front(&mut self, source: &[u8], start: usize, end: usize, mut value: Vec<u8>) {
        let between = &source[end..self.before.end()];
        value.reserve_exact(between.len() + self.changed.len());
        value.extend_from_slice(between);
        value.extend_from_slice(&self.changed);
        self.changed = value;
        self.before = Span::new(self.before.start(), start);
    }

    /// Replaces a value in `after` and extends `changed` to end with it.
    fn extend_back(&mut self, source: &[u8], start: usize, end: usize, value: Vec<u8>) {
        let between = &source[self.after.start()..start];
        self.changed.reserve(between.len() + value.len());
        self.changed.extend_from_slice(between);
        self.changed.extend_from_slice(&value);
        self.after = Span::new(end, self.after.end());
    }
}
