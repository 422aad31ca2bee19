//! The format of a file: a header of fixed size, and a body.
//!
//! ```text
//!   0  magic      8   "SESSILE" and a control-Z, so that a terminal stops there
//!   8  format     2   1
//!  10  kind       1   record, moved, ended, quarantined, lease, record with facts
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
//! The body of a record with facts begins with them. Its fields have their length and a sum of their own, so that they
//! can be read and checked without the payload. A record without facts is of the same kind as before there were facts;
//! versions before that refuse the other kind.
//!
//! Numbers are little-endian. A later format keeps the first 36 bytes and the offset of the header's sum, so that a
//! file of a later format can be told from a corrupt one.

mod fields;
mod kind;

use bytes::Bytes;
use sessile_core::{Facts, SessionKey};
use sha2::{Digest, Sha256};

use self::fields::{Reader, key_of_text};
use self::kind::{AT_FACTS, RECORD_WITH_FACTS};
pub(crate) use self::kind::{Kind, Origin};
use crate::failure::FormatError;

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

/// The lengths of the two parts of a body, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BodyLengths {
    /// The length of the facts, which come first. Most files have none.
    pub(crate) facts: u16,
    pub(crate) payload: u64,
}

impl BodyLengths {
    pub(crate) fn total(self) -> u64 {
        u64::from(self.facts) + self.payload
    }
}

/// Encodes a file.
pub(crate) fn encode(header: &Header, payload: &[u8]) -> Vec<u8> {
    let facts = header.kind.facts();
    let length = facts.len() + payload.len();
    let mut file = Vec::with_capacity(HEADER_LEN + length);
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&FORMAT.to_le_bytes());
    file.extend_from_slice(&[header.kind.code(), 0]);
    file.extend_from_slice(&(length as u64).to_le_bytes());
    file.extend_from_slice(&sum(&[facts, payload]));
    file.extend_from_slice(header.key.to_string().as_bytes());
    file.extend_from_slice(&header.stamp);
    header.kind.write(&mut file);
    file.resize(AT_HEADER_SUM, 0);
    let header_sum = sum(&[&file]);
    file.extend_from_slice(&header_sum);
    file.extend_from_slice(facts);
    file.extend_from_slice(payload);
    file
}

/// Encodes a file without a body.
pub(crate) fn encode_header(key: &SessionKey, stamp: Nonce, kind: Kind) -> Vec<u8> {
    encode(&Header { key: *key, stamp, kind }, &[])
}

/// Decodes the header, and returns it with the lengths of the body, from the first bytes of a file of `length` bytes.
///
/// The metadata of a record with facts lacks them until [`read_facts`](Header::read_facts) adds them.
pub(crate) fn decode_header(bytes: &[u8], length: u64) -> Result<(Header, BodyLengths), FormatError> {
    let (magic, _) = bytes.split_at_checked(MAGIC.len()).ok_or(FormatError::Torn)?;
    if magic != MAGIC {
        return Err(if magic.iter().all(|&byte| byte == 0) {
            FormatError::Torn
        } else {
            FormatError::Foreign
        });
    }
    let bytes: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(FormatError::Torn)?;
    if bytes[AT_HEADER_SUM..] != sum(&[&bytes[..AT_HEADER_SUM]]) {
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
    Ok((header, lengths(code, body, bytes)?))
}

/// Returns the lengths of the two parts of a body of `body` bytes.
fn lengths(code: u8, body: u64, header: &[u8; HEADER_LEN]) -> Result<BodyLengths, FormatError> {
    let facts = match code {
        RECORD_WITH_FACTS => u16::from_le_bytes(Reader(&header[AT_FIELDS + AT_FACTS..]).take()?),
        _ => {
            return Ok(BodyLengths {
                facts: 0,
                payload: body,
            });
        }
    };
    if facts == 0 || usize::from(facts) > Facts::MAX_LEN {
        return Err(FormatError::Newer);
    }
    let payload = body.checked_sub(facts.into()).ok_or(FormatError::Newer)?;
    Ok(BodyLengths { facts, payload })
}

impl Header {
    /// Checks the facts at the front of the body against their sum among the fields of this header, whose `bytes` are
    /// given, and adds them to the metadata. Does nothing if the file is no record with facts.
    pub(crate) fn read_facts(&mut self, bytes: &[u8], facts: &[u8]) -> Result<(), FormatError> {
        let Kind::Record { meta, .. } = &mut self.kind else {
            return Ok(());
        };
        if facts.is_empty() {
            return Ok(());
        }
        let at = AT_FIELDS + AT_FACTS + 2;
        if bytes.get(at..at + SUM) != Some(sum(&[facts]).as_slice()) {
            return Err(FormatError::Torn);
        }
        // The sum is right, so facts that are invalid today come from a later version.
        meta.facts = Facts::from_bytes(facts).map_err(|_| FormatError::Newer)?;
        Ok(())
    }
}

/// Checks a body against the checksum in its header.
pub(crate) fn check_body(header: &[u8], body: &[u8]) -> Result<(), FormatError> {
    if header.get(AT_BODY_SUM..AT_BODY_SUM + SUM) == Some(sum(&[body]).as_slice()) {
        Ok(())
    } else {
        Err(FormatError::Torn)
    }
}

/// Returns the sum of these parts in a row.
fn sum(parts: &[&[u8]]) -> [u8; SUM] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    let mut cut = [0; SUM];
    cut.copy_from_slice(&hasher.finalize()[..SUM]);
    cut
}

/// The decoded contents of a file.
#[derive(Clone, Debug)]
pub(crate) struct FileContents {
    pub(crate) header: Header,
    /// The length of the payload, which is known even if only the header was read.
    pub(crate) payload_len: u64,
    /// Empty if only the header was read.
    pub(crate) payload: Bytes,
}
