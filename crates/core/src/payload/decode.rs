//! Decodes payloads.

use bytes::Bytes;

use super::entry::{Entry, Value};
use super::error::RecordError;
use super::extensions::Extensions;
use super::plain::Plain;
use super::value_map::{Form, ValueMap};
use super::wire::Reader;
use super::{Namespace, Payload, Summary, Values};
use crate::clock::Timestamp;

/// The first byte of every payload.
pub(super) const MAGIC: u8 = b'S';

/// The first version of the format, and the one that is written. The version of a record is the least version that can
/// read it.
pub(super) const VERSION_1: u8 = 1;

/// The version that adds the [`PLAIN`] flag.
pub(super) const VERSION_2: u8 = 2;

/// Head flag: the session has a lifetime.
pub(super) const LIFETIME: u8 = 1;

/// Head flag: the session has extensions.
pub(super) const EXTENSIONS: u8 = 2;

/// Head flag: the payload is plain, that is, values without lifetimes and extensions, and no namespaces.
pub(super) const PLAIN: u8 = 4;

/// The shortest entry: an empty name, an endless lifetime, and a value of one character.
const SMALLEST_ENTRY: usize = 4;

/// The shortest namespace: an empty name, two lifetimes and an empty map.
const SMALLEST_NAMESPACE: usize = 5;

impl Payload {
    pub(crate) fn decode(payload: Bytes) -> Result<Self, RecordError> {
        let mut reader = Reader::new(&payload)?;
        if reader.byte("the first byte")? != MAGIC {
            return Err(RecordError::at("the first byte"));
        }
        let known = match reader.byte("the version")? {
            0 => return Err(RecordError::at("the version")),
            VERSION_1 => LIFETIME | EXTENSIONS,
            VERSION_2 => LIFETIME | EXTENSIONS | PLAIN,
            needed => return Err(RecordError::later(needed)),
        };
        let head = reader.byte("the head")?;
        if head & !known != 0 {
            return Err(RecordError::at("the head"));
        }
        let lifetime = match head & LIFETIME {
            0 => None,
            _ => Some(reader.lifetime()?),
        };
        let extensions = match head & EXTENSIONS {
            0 => Extensions::NONE,
            _ => Extensions::decode(&mut reader)?,
        };
        let form = read_values(&mut reader)?;
        let namespaces = read_namespaces(&mut reader)?;
        expect_end(&reader)?;
        let is_plain = matches!(form, Form::Plain(_)) && namespaces.is_empty();
        if head & PLAIN != 0 && !is_plain {
            return Err(RecordError::at("the head"));
        }
        Ok(Self {
            values: ValueMap { source: payload, form },
            is_stored: true,
            stored_limit: lifetime.and_then(|lifetime| lifetime.limit),
            lifetime,
            since: Timestamp::MIN,
            extensions,
            namespaces,
            changed: false,
            is_inactive: false,
        })
    }
}

impl ValueMap {
    pub(super) fn decode(bytes: &Bytes) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes)?;
        let form = read_values(&mut reader)?;
        expect_end(&reader)?;
        Ok(Self {
            source: bytes.clone(),
            form,
        })
    }
}

#[inline]
fn read_namespaces(reader: &mut Reader<'_>) -> Result<Vec<Namespace>, RecordError> {
    match reader.count(SMALLEST_NAMESPACE)? {
        0 => Ok(Vec::new()),
        count => read_some_namespaces(reader, count),
    }
}

fn read_some_namespaces(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Namespace>, RecordError> {
    let mut namespaces = Vec::with_capacity(count);
    for _ in 0..count {
        let name = reader.name()?;
        let (lifetime, extensions) = reader.extended_lifetime()?;
        namespaces.push(Namespace {
            name,
            lifetime,
            since: Timestamp::MIN,
            extensions,
            values: Values::Closed {
                summary: Summary::of(reader.lifetime()?),
                span: reader.filled_span("a namespace")?,
            },
        });
    }
    Ok(namespaces)
}

/// Validates every value. Plain values stay as encoded bytes; all others are indexed.
#[inline]
fn read_values(reader: &mut Reader<'_>) -> Result<Form, RecordError> {
    let count = reader.count(SMALLEST_ENTRY)?;
    match Plain::read(reader, count)? {
        Some(plain) => Ok(Form::Plain(plain)),
        None => read_entries(reader, count).map(Form::Indexed),
    }
}

fn read_entries(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Entry>, RecordError> {
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let name = reader.name()?;
        let (lifetime, extensions) = reader.extended_lifetime()?;
        entries.push(Entry {
            name,
            lifetime,
            since: Timestamp::MIN,
            extensions,
            value: Value::Stored(reader.filled_span("a value")?),
        });
    }
    Ok(entries)
}

fn expect_end(reader: &Reader<'_>) -> Result<(), RecordError> {
    match reader.remaining() {
        0 => Ok(()),
        _ => Err(RecordError::at("the end")),
    }
}
