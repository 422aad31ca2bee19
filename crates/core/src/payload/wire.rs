//! Reads the elements of the record format: numbers, spans, names and lifetimes.
//!
//! Numbers are [varints](crate::varint). Texts and values are a length and that many bytes.

use bytes::Bytes;

use super::error::RecordError;
use crate::clock::Timestamp;
use crate::expiration::Lifetime;
use crate::varint;

pub(super) const HAS_WINDOW: u8 = 1;
pub(super) const HAS_LIMIT: u8 = 2;
pub(super) const TRANSIENT: u8 = 4;
/// Extensions follow the lifetime of a value or a namespace.
pub(super) const EXTENDED: u8 = 8;

/// A range of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(super) const EMPTY: Self = Self { start: 0, end: 0 };

    /// Creates a span in a buffer for which a [`Reader`] was made. The casts are lossless because a reader refuses
    /// buffers of 4 GiB or more.
    #[inline]
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    #[inline]
    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    #[inline]
    pub(super) fn end(self) -> usize {
        self.end as usize
    }

    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub(super) fn slice(self, source: &Bytes) -> Bytes {
        source.slice(self.start as usize..self.end as usize)
    }

    #[inline]
    pub(super) fn read(self, source: &[u8]) -> &[u8] {
        &source[self.start as usize..self.end as usize]
    }
}

/// A name, as loaded or as given in this visit.
#[derive(Debug, Clone)]
pub(super) enum Name {
    Stored(Span),
    Given(Box<str>),
}

impl Name {
    #[inline]
    pub(super) fn is(&self, name: &str, source: &[u8]) -> bool {
        match self {
            Self::Stored(span) => span.read(source) == name.as_bytes(),
            Self::Given(text) => **text == *name,
        }
    }

    pub(super) fn read<'a>(&'a self, source: &'a [u8]) -> &'a str {
        match self {
            Self::Stored(span) => std::str::from_utf8(span.read(source)).expect("names are checked when decoded"),
            Self::Given(text) => text,
        }
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self::Given(name.into())
    }
}

/// Reads a buffer from front to back, never past its end.
pub(super) struct Reader<'a> {
    source: &'a [u8],
    pub(super) position: usize,
}

impl<'a> Reader<'a> {
    /// Creates a reader. Spans are 32 bits wide, so it refuses records of 4 GiB or more.
    pub(super) fn new(source: &'a [u8]) -> Result<Self, RecordError> {
        u32::try_from(source.len()).map_err(|_| RecordError::at("the length"))?;
        Ok(Self { source, position: 0 })
    }

    #[inline(always)]
    pub(super) fn byte(&mut self, what: &'static str) -> Result<u8, RecordError> {
        let byte = *self.source.get(self.position).ok_or(RecordError::at(what))?;
        self.position += 1;
        Ok(byte)
    }

    #[inline(always)]
    pub(super) fn number(&mut self, what: &'static str) -> Result<u64, RecordError> {
        // Most numbers are lengths and counts of one byte.
        match self.source.get(self.position) {
            Some(&small) if small < 0x80 => {
                self.position += 1;
                Ok(u64::from(small))
            }
            _ => self.long_number(what),
        }
    }

    fn long_number(&mut self, what: &'static str) -> Result<u64, RecordError> {
        let mut rest = self.source.get(self.position..).unwrap_or_default();
        let number = varint::take(&mut rest).ok_or(RecordError::at(what))?;
        self.position = self.source.len() - rest.len();
        Ok(number)
    }

    #[inline(always)]
    pub(super) fn span(&mut self, what: &'static str) -> Result<Span, RecordError> {
        let length = usize::try_from(self.number(what)?).map_err(|_| RecordError::at(what))?;
        if length > self.remaining() {
            return Err(RecordError::at(what));
        }
        let start = self.position;
        self.position += length;
        Ok(Span::new(start, self.position))
    }

    /// Reads a span that must not be empty, such as a value or the values of a namespace.
    #[inline(always)]
    pub(super) fn filled_span(&mut self, what: &'static str) -> Result<Span, RecordError> {
        let span = self.span(what)?;
        if span.is_empty() {
            return Err(RecordError::at(what));
        }
        Ok(span)
    }

    #[inline(always)] // Called for each value, by so few callers that the compiler decides either way.
    pub(super) fn name(&mut self) -> Result<Name, RecordError> {
        let span = self.span("a name")?;
        // Most names are short and ASCII, and checking for ASCII is cheaper than validating UTF-8.
        let name = span.read(self.source);
        if !name.iter().fold(true, |ascii, byte| ascii & byte.is_ascii()) {
            std::str::from_utf8(name).map_err(|_| RecordError::at("a name"))?;
        }
        Ok(Name::Stored(span))
    }

    /// Reads a name. Returns whether its length has the shortest encoding.
    #[inline(always)]
    pub(super) fn brief_name(&mut self) -> Result<bool, RecordError> {
        let start = self.position;
        let Name::Stored(span) = self.name()? else {
            return Ok(false);
        };
        Ok(self.is_brief(start, span))
    }

    /// Reads a span that must not be empty. Returns whether its length has the shortest encoding.
    #[inline(always)]
    pub(super) fn brief_filled_span(&mut self, what: &'static str) -> Result<bool, RecordError> {
        let start = self.position;
        let span = self.filled_span(what)?;
        Ok(self.is_brief(start, span))
    }

    /// Returns whether the number between `start` and `span` has the shortest encoding: its last byte is not zero.
    #[inline(always)]
    fn is_brief(&self, start: usize, span: Span) -> bool {
        span.start() - start == 1 || self.source[span.start() - 1] != 0
    }

    /// Reads the number of items that follow, each of which takes at least `smallest` bytes. Checking it here bounds
    /// allocations.
    #[inline(always)]
    pub(super) fn count(&mut self, smallest: usize) -> Result<usize, RecordError> {
        let count = usize::try_from(self.number("a count")?).map_err(|_| RecordError::at("a count"))?;
        if count > self.remaining() / smallest {
            return Err(RecordError::at("a count"));
        }
        Ok(count)
    }

    #[inline(always)]
    pub(super) fn lifetime(&mut self) -> Result<Lifetime, RecordError> {
        let flags = self.byte("a lifetime")?;
        self.lifetime_with(flags)
    }

    /// Reads the lifetime of a value or a namespace, and its extensions.
    #[inline]
    pub(super) fn extended_lifetime(&mut self) -> Result<(Lifetime, Span), RecordError> {
        let flags = self.byte("a lifetime")?;
        let lifetime = self.lifetime_with(flags & !EXTENDED)?;
        let extensions = match flags & EXTENDED {
            0 => Span::EMPTY,
            _ => self.span("an extension")?,
        };
        Ok((lifetime, extensions))
    }

    #[inline(always)]
    fn lifetime_with(&mut self, flags: u8) -> Result<Lifetime, RecordError> {
        if flags == 0 {
            return Ok(Lifetime::ENDLESS);
        }
        if flags & !(HAS_WINDOW | HAS_LIMIT | TRANSIENT) != 0 {
            return Err(RecordError::at("a lifetime"));
        }
        let mut optional = |flag| match flags & flag {
            0 => Ok(None),
            _ => self.number("a lifetime").map(Some),
        };
        Ok(Lifetime {
            window: optional(HAS_WINDOW)?,
            limit: optional(HAS_LIMIT)?.map(Timestamp::from_millis),
            transient: flags & TRANSIENT != 0,
        })
    }

    /// Returns a reader for the next part, a length and that many bytes. Its spans refer to the whole buffer.
    pub(super) fn inside(&mut self, what: &'static str) -> Result<Self, RecordError> {
        let span = self.span(what)?;
        Ok(Self {
            source: &self.source[..span.end as usize],
            position: span.start as usize,
        })
    }

    pub(super) fn read(&self, span: Span) -> &'a [u8] {
        span.read(self.source)
    }

    /// Returns the span of everything that has not been read yet.
    pub(super) fn rest(&self) -> Span {
        Span::new(self.position, self.source.len())
    }

    #[inline]
    pub(super) fn remaining(&self) -> usize {
        self.source.len() - self.position
    }
}
