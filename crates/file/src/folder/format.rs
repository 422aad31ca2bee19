//! The format of a file: a header of fixed size, and a body.
//!
//! ```text
//!   0  magic      8   "SESSILE" and a control-Z, so that a terminal stops there
//!   8  format     2   1
//!  10  kind       1   record, moved, ended, quarantined, lease
//!  11  -          1   zero
//!  12  length     8   of the body
//!  20  body sum  16   SHA-256 of the body, truncated to 128 bits
//!  36  key       68   as text
//! 104  stamp     16   random, new with every write except a touch
//! 120  fields   120   of the kind; a key in them is its digest and its shard, 35 bytes
//! 240  sum       16   SHA-256 of the header up to here, truncated to 128 bits
//! 256  body
//! ```
//!
//! Numbers are little-endian. A later format keeps the first 36 bytes and the offset of the header's sum, so that a
//! file of a later format can be told from a corrupt one.

use bytes::Bytes;
use sessile_core::{LockToken, Meta, SessionKey, Timestamp};
use sha2::{Digest, Sha256};

use crate::failure::FormatError;
use crate::folder::layout::hex;

/// The length of a header, in bytes.
pub(crate) const HEADER_LEN: usize = 256;

const MAGIC: &[u8; 8] = b"SESSILE\x1a";
const FORMAT: u16 = 1;
const SUM: usize = 16;
const KEY: usize = 68;
const AT_BODY_SUM: usize = 20;
const AT_KEY: usize = 36;
const AT_STAMP: usize = AT_KEY + KEY;
const AT_FIELDS: usize = AT_STAMP + 16;
const AT_HEADER_SUM: usize = HEADER_LEN - SUM;

/// Sixteen random bytes that identify one write, one lock holder or one open storage.
pub(crate) type Nonce = [u8; 16];

/// The header of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The key the file belongs to.
    pub(crate) key: SessionKey,
    /// Identifies the write of a record; a touch keeps it. The mark of a rotation has the stamp of the new record.
    pub(crate) stamp: Nonce,
    /// The kind of the file, with its fields.
    pub(crate) kind: Kind,
}

/// The kind of a file, with its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A session.
    Record {
        meta: Meta,
        /// Set if a rotation has written the record.
        from: Option<Origin>,
    },
    /// The mark of a rotation: an alias until `alias_until`, a tombstone until `until`, then nothing.
    Moved {
        to: SessionKey,
        alias_until: Timestamp,
        until: Timestamp,
    },
    /// The session was destroyed. The file is about to be removed.
    Ended,
    /// The mark of a file that was corrupt and has been quarantined.
    Quarantined { until: Timestamp },
    /// A lock.
    Lease {
        token: LockToken,
        until: Timestamp,
        owner: Nonce,
    },
}

/// The key from which a record was rotated, and the instance that did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) key: SessionKey,
    pub(crate) owner: Nonce,
}

/// Encodes a file.
pub(crate) fn encode(header: &Header, body: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEADER_LEN + body.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&FORMAT.to_le_bytes());
    file.extend_from_slice(&[header.kind.code(), 0]);
    file.extend_from_slice(&(body.len() as u64).to_le_bytes());
    file.extend_from_slice(&sum(body));
    file.extend_from_slice(header.key.to_string().as_bytes());
    file.extend_from_slice(&header.stamp);
    header.kind.write(&mut file);
    file.resize(AT_HEADER_SUM, 0);
    let header_sum = sum(&file);
    file.extend_from_slice(&header_sum);
    file.extend_from_slice(body);
    file
}

/// Encodes a file without a body.
pub(crate) fn encode_header(key: &SessionKey, stamp: Nonce, kind: Kind) -> Vec<u8> {
    encode(&Header { key: *key, stamp, kind }, &[])
}

/// Decodes the header, and returns it with the length of the body, from the first bytes of a file of `length` bytes.
pub(crate) fn decode_header(bytes: &[u8], length: u64) -> Result<(Header, u64), FormatError> {
    let (magic, _) = bytes.split_at_checked(MAGIC.len()).ok_or(FormatError::Torn)?;
    if magic != MAGIC {
        return Err(if magic.iter().all(|&byte| byte == 0) {
            FormatError::Torn
        } else {
            FormatError::Foreign
        });
    }
    let bytes: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(FormatError::Torn)?;
    if bytes[AT_HEADER_SUM..] != sum(&bytes[..AT_HEADER_SUM]) {
        return Err(FormatError::Torn);
    }
    let mut reader = Reader(&bytes[MAGIC.len()..]);
    if u16::from_le_bytes(reader.take()?) != FORMAT {
        return Err(FormatError::Newer);
    }
    let [code, _] = reader.take()?;
    let body = reader.number()?;
    if length != body.saturating_add(HEADER_LEN as u64) {
        return Err(FormatError::Torn);
    }
    let mut reader = Reader(&bytes[AT_KEY..]);
    let text: [u8; KEY] = reader.take()?;
    let text = std::str::from_utf8(&text).map_err(|_| FormatError::Newer)?;
    let header = Header {
        key: key_of_text(text)?,
        stamp: reader.take()?,
        kind: Kind::read(code, &mut Reader(&bytes[AT_FIELDS..AT_HEADER_SUM]))?,
    };
    Ok((header, body))
}

/// Checks a body against the checksum in its header.
pub(crate) fn check_body(header: &[u8], body: &[u8]) -> Result<(), FormatError> {
    if header.get(AT_BODY_SUM..AT_BODY_SUM + SUM) == Some(sum(body).as_slice()) {
        Ok(())
    } else {
        Err(FormatError::Torn)
    }
}

fn sum(bytes: &[u8]) -> [u8; SUM] {
    let mut cut = [0; SUM];
    cut.copy_from_slice(&Sha256::digest(bytes)[..SUM]);
    cut
}

/// Stands for a missing deadline.
const NO_DEADLINE: u64 = u64::MAX;

impl Kind {
    const fn code(&self) -> u8 {
        match self {
            Self::Record { .. } => 1,
            Self::Moved { .. } => 2,
            Self::Ended => 3,
            Self::Quarantined { .. } => 4,
            Self::Lease { .. } => 5,
        }
    }

    fn write(&self, file: &mut Vec<u8>) {
        let mut number = |n: u64| file.extend_from_slice(&n.to_le_bytes());
        match self {
            Self::Record { meta, from } => {
                number(meta.created_at.as_millis());
                number(meta.last_active.as_millis());
                number(meta.deadline.map_or(NO_DEADLINE, Timestamp::as_millis));
                number(meta.version);
                if let Some(Origin { key, owner }) = from {
                    write_key(file, key);
                    file.extend_from_slice(owner);
                }
            }
            Self::Moved { to, alias_until, until } => {
                number(alias_until.as_millis());
                number(until.as_millis());
                write_key(file, to);
            }
            Self::Ended => {}
            Self::Quarantined { until } => number(until.as_millis()),
            Self::Lease { token, until, owner } => {
                number(until.as_millis());
                file.extend_from_slice(token.as_bytes());
                file.extend_from_slice(owner);
            }
        }
    }

    fn read(code: u8, fields: &mut Reader<'_>) -> Result<Self, FormatError> {
        Ok(match code {
            1 => {
                let mut meta = Meta::new(fields.timestamp()?);
                meta.last_active = fields.timestamp()?;
                meta.deadline = Some(fields.number()?)
                    .filter(|&millis| millis != NO_DEADLINE)
                    .map(Timestamp::from_millis);
                meta.version = fields.number()?;
                let from = match fields.key_or_none()? {
                    Some(key) => Some(Origin {
                        key,
                        owner: fields.take()?,
                    }),
                    None => None,
                };
                Self::Record { meta, from }
            }
            2 => Self::Moved {
                alias_until: fields.timestamp()?,
                until: fields.timestamp()?,
                to: fields.key_or_none()?.ok_or(FormatError::Newer)?,
            },
            3 => Self::Ended,
            4 => Self::Quarantined {
                until: fields.timestamp()?,
            },
            5 => Self::Lease {
                until: fields.timestamp()?,
                token: LockToken::from_bytes(fields.take()?),
                owner: fields.take()?,
            },
            _ => return Err(FormatError::Newer),
        })
    }
}

/// Reads fields in order. The header's sum has been checked, so an invalid field comes from a later version.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let (field, rest) = self.0.split_first_chunk().ok_or(FormatError::Newer)?;
        self.0 = rest;
        Ok(*field)
    }

    fn number(&mut self) -> Result<u64, FormatError> {
        self.take().map(u64::from_le_bytes)
    }

    fn timestamp(&mut self) -> Result<Timestamp, FormatError> {
        self.number().map(Timestamp::from_millis)
    }

    fn key_or_none(&mut self) -> Result<Option<SessionKey>, FormatError> {
        let digest: [u8; 32] = self.take()?;
        let shard: [u8; 3] = self.take()?;
        if shard == [0; 3] {
            return Ok(None);
        }
        let shard = std::str::from_utf8(&shard).map_err(|_| FormatError::Newer)?;
        key_of_text(&format!("{shard}:{}", hex(&digest))).map(Some)
    }
}

fn key_of_text(text: &str) -> Result<SessionKey, FormatError> {
    text.parse().map_err(|_| FormatError::Newer)
}

fn write_key(file: &mut Vec<u8>, key: &SessionKey) {
    file.extend_from_slice(key.digest());
    file.extend_from_slice(key.shard().as_bytes());
}

/// The decoded contents of a file.
#[derive(Clone, Debug)]
pub(crate) struct FileContents {
    pub(crate) header: Header,
    /// Empty if only the header was read.
    pub(crate) body: Bytes,
}
