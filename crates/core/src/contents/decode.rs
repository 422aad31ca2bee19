//! Reading a payload.
//!
//! ```text
//! payload    = magic version lifetime-of-session block count namespace*
//! lifetime-of-session = 0 | 1 lifetime
//! block      = count entry*
//! entry      = name lifetime value
//! namespace  = name lifetime summary length block
//! summary    = lifetime        (its window is the shortest in the block; no limit)
//! ```
//!
//! Within a block no name comes twice, and no two namespaces share one: so it is written. It is not checked: names are in
//! no order, and every reader would pay, in memory or by comparing each with each, for what only another hand writes.
//! Of two with one name the first counts.

use std::fmt;

use bytes::Bytes;

use super::block::{Block, Entry, Value};
use super::wire::Reader;
use super::{Contents, Namespace, Summary, Values};
use crate::clock::Timestamp;

/// The first byte of every payload.
pub(super) const MAGIC: u8 = b'S';

/// The version of the format that is written, and the only one there is so far.
pub(super) const VERSION: u8 = 1;

/// No entry is shorter than this: an empty name, a lifetime without end, and a value of one character.
const SMALLEST_ENTRY: usize = 4;

/// No namespace is shorter than this: an empty name, two lifetimes and an empty block.
const SMALLEST_NAMESPACE: usize = 5;

/// A record cannot be read: it was damaged, or written by something else or by a later version.
///
/// What to do about it is the application's choice, see [`Unreadable`](crate::Unreadable).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordError {
    /// What could not be read.
    what: &'static str,
}

impl RecordError {
    pub(super) const fn at(what: &'static str) -> Self {
        Self { what }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the stored session cannot be read: {} is not as it should be",
            self.what
        )
    }
}

impl std::error::Error for RecordError {}

impl Contents {
    pub(crate) fn decode(payload: Bytes) -> Result<Self, RecordError> {
        let mut reader = Reader::new(&payload)?;
        if reader.byte("the first byte")? != MAGIC {
            return Err(RecordError::at("the first byte"));
        }
        if reader.byte("the version")? != VERSION {
            return Err(RecordError::at("the version"));
        }
        let lifetime = match reader.byte("a lifetime")? {
            0 => None,
            1 => Some(reader.lifetime()?),
            _ => return Err(RecordError::at("a lifetime")),
        };
        let values = entries(&mut reader)?;
        let count = reader.count(SMALLEST_NAMESPACE)?;
        let mut namespaces = Vec::with_capacity(count);
        for _ in 0..count {
            namespaces.push(Namespace {
                name: reader.name()?,
                lifetime: reader.lifetime()?,
                since: Timestamp::MIN,
                values: Values::Closed {
                    summary: Summary::of(reader.lifetime()?),
                    bytes: reader.filled_span("a namespace")?.slice(&payload),
                },
            });
        }
        end(&reader)?;
        Ok(Self {
            values: Block {
                source: payload.clone(),
                entries: values,
            },
            payload,
            is_stored: true,
            lifetime,
            since: Timestamp::MIN,
            namespaces,
            changed: false,
            window: None,
            authenticated_at: None,
        })
    }
}

impl Block {
    pub(super) fn decode(bytes: &Bytes) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes)?;
        let entries = entries(&mut reader)?;
        end(&reader)?;
        Ok(Self {
            source: bytes.clone(),
            entries,
        })
    }
}

fn entries(reader: &mut Reader<'_>) -> Result<Vec<Entry>, RecordError> {
    let count = reader.count(SMALLEST_ENTRY)?;
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        entries.push(Entry {
            name: reader.name()?,
            lifetime: reader.lifetime()?,
            since: Timestamp::MIN,
            value: Value::Stored(reader.filled_span("a value")?),
        });
    }
    Ok(entries)
}

fn end(reader: &Reader<'_>) -> Result<(), RecordError> {
    match reader.remaining() {
        0 => Ok(()),
        _ => Err(RecordError::at("the end")),
    }
}
