//! Values as they are written. Without lifetimes and extensions there is nothing to be known of them but where they
//! are, and of few values that is found by going through them.

use super::entry::{Entry, Value};
use super::error::RecordError;
use super::iter::{Bounds, ENDLESS, Iter, text, written};
use super::wire::{Name, Reader, Span};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;

/// Values without lifetimes and extensions, one behind the other, in up to three parts.
///
/// The changed ones lie in a buffer, together with those between them, and stand where others were in the
/// source. So the first change copies nothing of them.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    count: usize,
    /// In the source: those in front of what was changed.
    before: Span,
    changed: Vec<u8>,
    /// In the source: those behind it.
    after: Span,
}

/// Where a value is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    part: Segment,
    at: Bounds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    Before,
    Changed,
    After,
}

/// The JSON text of a value, where it is kept.
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

    /// Reads so many values, if that is what they are. Otherwise nothing is read.
    ///
    /// They are to be written as they are, and what is in a session has one form. So values are not plain if a length is
    /// written in more bytes than it takes.
    #[inline]
    pub(super) fn read(reader: &mut Reader<'_>, count: usize) -> Result<Option<Self>, RecordError> {
        let start = reader.position();
        for _ in 0..count {
            let name = reader.brief_name()?;
            let is_endless = reader.byte("a lifetime")? == ENDLESS;
            if !(name && is_endless && reader.brief_filled_span("a value")?) {
                reader.go_back_to(start);
                return Ok(None);
            }
        }
        let end = Span::new(reader.position(), reader.position());
        Ok(Some(Self {
            count,
            before: Span::new(start, reader.position()),
            changed: Vec::new(),
            after: end,
        }))
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The values as they are written.
    #[inline]
    pub(super) fn parts<'a>(&'a self, source: &'a [u8]) -> [&'a [u8]; 3] {
        [self.before.read(source), &self.changed, self.after.read(source)]
    }

    #[inline]
    pub(super) fn find(&self, source: &[u8], name: &str) -> Option<Position> {
        let within = |part, bytes: &[u8], from| {
            let at = Iter { bytes, at: from }.find(|at| bytes[at.name..at.about] == *name.as_bytes())?;
            Some(Position { part, at })
        };
        within(Segment::Before, &source[..self.before.end()], self.before.start())
            .or_else(|| within(Segment::Changed, &self.changed, 0))
            .or_else(|| within(Segment::After, &source[..self.after.end()], self.after.start()))
    }

    pub(super) fn value(&self, position: Position) -> ValueRef<'_> {
        let Bounds { json, end, .. } = position.at;
        match position.part {
            Segment::Changed => ValueRef::Set(&self.changed[json..end]),
            Segment::Before | Segment::After => ValueRef::Stored(Span::new(json, end)),
        }
    }

    /// Sets the value at a position, or one that has none yet.
    pub(super) fn set(&mut self, source: &[u8], position: Option<Position>, name: &str, json: Vec<u8>) {
        let value = written(name, json);
        match position {
            Some(position) => self.replace(source, position, value),
            None => self.append(source, value),
        }
    }

    pub(super) fn remove(&mut self, source: &[u8], position: Position) {
        self.replace(source, position, Vec::new());
        self.count -= 1;
    }

    /// Gives the value at a position another name.
    pub(super) fn rename(&mut self, source: &[u8], position: Position, name: &str) {
        let json = self.value(position).read(source).to_vec();
        self.replace(source, position, written(name, json));
    }

    /// The names, in their order.
    pub(super) fn names<'a>(&'a self, source: &'a [u8]) -> impl Iterator<Item = &'a str> {
        let walk = |bytes| Iter { bytes, at: 0 }.map(move |at| text(&bytes[at.name..at.about]));
        self.parts(source).into_iter().flat_map(walk)
    }

    /// The same values one by one.
    pub(super) fn entries(&self, source: &[u8]) -> Vec<Entry> {
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
                let name = Name::Stored(Span::new(at.name, at.about));
                entry(name, Value::Stored(Span::new(at.json, at.end)))
            })
        };
        let bytes = &*self.changed;
        let changed = Iter { bytes, at: 0 }.map(|at| {
            let name = Name::from(text(&bytes[at.name..at.about]));
            entry(name, Value::Set(bytes[at.json..at.end].to_vec()))
        });
        let mut entries = Vec::with_capacity(self.count);
        entries.extend(stored(self.before).chain(changed).chain(stored(self.after)));
        entries
    }

    fn is_changed(&self) -> bool {
        self.before.end() < self.after.start() || !self.changed.is_empty()
    }

    // In all that follows, whatever can fail for want of memory comes before anything is different.

    fn append(&mut self, source: &[u8], value: Vec<u8>) {
        let end = self.after.end();
        if self.is_changed() {
            self.change_until(source, end, end, value);
        } else {
            // The values in front of the end may be in two parts, if a change was taken back.
            self.before = Span::new(self.before.start(), end);
            self.after = Span::new(end, end);
            self.changed = value;
        }
        self.count += 1;
    }

    /// Puts something in the position of a value.
    fn replace(&mut self, source: &[u8], position: Position, value: Vec<u8>) {
        let Bounds { start, end, .. } = position.at;
        match position.part {
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
            Segment::Before => self.change_from(source, start, end, value),
            Segment::After => self.change_until(source, start, end, value),
        }
    }

    /// Puts something in the position of a value in front of what was changed, which then begins with it.
    fn change_from(&mut self, source: &[u8], start: usize, end: usize, mut value: Vec<u8>) {
        let between = &source[end..self.before.end()];
        value.reserve_exact(between.len() + self.changed.len());
        value.extend_from_slice(between);
        value.extend_from_slice(&self.changed);
        self.changed = value;
        self.before = Span::new(self.before.start(), start);
    }

    /// Puts something in the position of a value behind what was changed, which then ends with it.
    fn change_until(&mut self, source: &[u8], start: usize, end: usize, value: Vec<u8>) {
        let between = &source[self.after.start()..start];
        self.changed.reserve(between.len() + value.len());
        self.changed.extend_from_slice(between);
        self.changed.extend_from_slice(&value);
        self.after = Span::new(end, self.after.end());
    }
}
