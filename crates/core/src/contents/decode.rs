//! Reading a payload.

use std::fmt;

use bytes::Bytes;

use super::block::{Block, Entry, Form, Value};
use super::extensions::Extensions;
use super::plain::Plain;
use super::wire::Reader;
use super::{Contents, Namespace, Summary, Values};
use crate::clock::Timestamp;

/// The first byte of every payload.
pub(super) const MAGIC: u8 = b'S';

/// The first version of the format, which is what is written: it says which version it takes to read it.
pub(super) const FIRST: u8 = 1;

/// The version in which a head may say that all values are plain.
pub(super) const MARKED: u8 = 2;

/// The latest version that is read.
const VERSION: u8 = MARKED;

/// The session has a lifetime.
pub(super) const LIFETIME: u8 = 1;

/// The session has extensions.
pub(super) const EXTENSIONS: u8 = 2;

/// There is nothing but values without lifetimes and extensions.
pub(super) const PLAIN: u8 = 4;

/// No entry is shorter than this: an empty name, a lifetime without end, and a value of one character.
const SMALLEST_ENTRY: usize = 4;

/// No namespace is shorter than this: an empty name, two lifetimes and an empty block.
const SMALLEST_NAMESPACE: usize = 5;

/// A record cannot be read: it was damaged, or written by something else, or it takes a later version of this crate to
/// read it.
///
/// What to do about it is the application's choice, see [`Unreadable`](crate::Unreadable).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordError {
    reason: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// This part of it is none that any version would write.
    Damaged(&'static str),
    /// The record asks for a reader of this version of the format.
    Later(u8),
}

impl RecordError {
    pub(super) const fn at(what: &'static str) -> Self {
        Self {
            reason: Reason::Damaged(what),
        }
    }

    /// Whether the record says that it takes a later version of this crate to read it. Nothing is wrong with it then.
    ///
    /// ```
    /// use sessile_core::{Meta, OsEntropy, Record, Session, SessionError, SessionId, Storage, Timestamp, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // What a later version of this crate has left: nothing but who can read it is known of it.
    /// let storage = MemoryStorage::new();
    /// let id = SessionId::generate(&OsEntropy);
    /// let record = Record::new(Meta::new(storage.clock().now()), b"S\xff and whatever follows".to_vec());
    /// storage.create(&id.key(), record).await?;
    ///
    /// let session: Session = Session::builder(storage).build();
    /// let read = session.init(Visit::from(id), async { session.start_readonly().await }).await?;
    /// let Err(SessionError::Unreadable(error)) = read else { panic!("it can be read") };
    /// assert!(error.needs_later_version());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn needs_later_version(&self) -> bool {
        matches!(self.reason, Reason::Later(_))
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Reason::Damaged(what) => write!(f, "the stored session cannot be read: {what} is not as it should be"),
            Reason::Later(needed) => write!(
                f,
                "the stored session cannot be read: it takes version {needed} of the format, and this is version {VERSION}"
            ),
        }
    }
}

impl std::error::Error for RecordError {}

impl Contents {
    pub(crate) fn decode(payload: Bytes) -> Result<Self, RecordError> {
        let mut reader = Reader::new(&payload)?;
        if reader.byte("the first byte")? != MAGIC {
            return Err(RecordError::at("the first byte"));
        }
        let known = match reader.byte("the version")? {
            0 => return Err(RecordError::at("the version")),
            FIRST => LIFETIME | EXTENSIONS,
            MARKED => LIFETIME | EXTENSIONS | PLAIN,
            needed => {
                return Err(RecordError {
                    reason: Reason::Later(needed),
                });
            }
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
        let form = values(&mut reader)?;
        let namespaces = namespaces(&mut reader)?;
        end(&reader)?;
        let is_plain = matches!(form, Form::Plain(_)) && namespaces.is_empty();
        if head & PLAIN != 0 && !is_plain {
            return Err(RecordError::at("the head"));
        }
        Ok(Self {
            values: Block { source: payload, form },
            is_stored: true,
            stored_limit: lifetime.and_then(|lifetime| lifetime.limit),
            lifetime,
            since: Timestamp::MIN,
            extensions,
            namespaces,
            changed: false,
        })
    }
}

impl Block {
    pub(super) fn decode(bytes: &Bytes) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes)?;
        let form = values(&mut reader)?;
        end(&reader)?;
        Ok(Self {
            source: bytes.clone(),
            form,
        })
    }
}

#[inline]
fn namespaces(reader: &mut Reader<'_>) -> Result<Vec<Namespace>, RecordError> {
    match reader.count(SMALLEST_NAMESPACE)? {
        0 => Ok(Vec::new()),
        count => some_namespaces(reader, count),
    }
}

fn some_namespaces(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Namespace>, RecordError> {
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

/// Looks at every value, and leaves all as they are written if they can stay so.
#[inline]
fn values(reader: &mut Reader<'_>) -> Result<Form, RecordError> {
    let count = reader.count(SMALLEST_ENTRY)?;
    match Plain::read(reader, count)? {
        Some(plain) => Ok(Form::Plain(plain)),
        None => index(reader, count).map(Form::Indexed),
    }
}

fn index(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Entry>, RecordError> {
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

fn end(reader: &Reader<'_>) -> Result<(), RecordError> {
    match reader.remaining() {
        0 => Ok(()),
        _ => Err(RecordError::at("the end")),
    }
}
