//! What stands in a file: a head of fixed size, and the payload.
//!
//! ```text
//!   0  magic      8   "SESSILE" and a control-Z, so that a terminal stops there
//!   8  format     2   1
//!  10  kind       1   record, moved, ended, set aside, lease
//!  11  -          1   zero
//!  12  length     8   of the body
//!  20  body sum  16   SHA-256 of the body, cut to 128 bits
//!  36  key       68   as text
//! 104  stamp     16   random, new with every write that counts
//! 120  fields   120   of the kind; a key in them is its digest and its shard, 35 bytes
//! 240  head sum  16   SHA-256 of all before, cut to 128 bits
//! 256  body
//! ```
//!
//! Numbers are little-endian. A later format keeps the first 36 bytes and the place of the head's sum: so a file of
//! a later format can be told from a damaged one.

use bytes::Bytes;
use sessile_core::{LockToken, Meta, SessionKey, Timestamp};
use sha2::{Digest, Sha256};

use crate::folder::layout::hex;

/// The length of a head, in bytes.
pub(crate) const HEAD: usize = 256;

const MAGIC: &[u8; 8] = b"SESSILE\x1a";
const FORMAT: u16 = 1;
const SUM: usize = 16;
const KEY: usize = 68;
const AT_BODY_SUM: usize = 20;
const AT_KEY: usize = 36;
const AT_STAMP: usize = AT_KEY + KEY;
const AT_FIELDS: usize = AT_STAMP + 16;
const AT_HEAD_SUM: usize = HEAD - SUM;

/// Sixteen random bytes that name one write, one holder or one open storage.
pub(crate) type Nonce = [u8; 16];

/// What a file says before its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The key the file belongs to.
    pub(crate) key: SessionKey,
    /// Of a record: which write it is; touching keeps it. Of a moved one: the stamp of the record it moved to.
    pub(crate) stamp: Nonce,
    /// What the file is.
    pub(crate) kind: Kind,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A session.
    Record {
        meta: Meta,
        /// Set when the session came by rotation.
        from: Option<Origin>,
    },
    /// The session has moved: an alias first, then a tombstone, then nothing.
    Moved {
        to: SessionKey,
        alias_until: Timestamp,
        until: Timestamp,
    },
    /// The session was destroyed. Such a file is on its way out.
    Ended,
    /// What stood here could not be understood and was set aside.
    SetAside { until: Timestamp },
    /// A lock.
    Lease {
        token: LockToken,
        until: Timestamp,
        owner: Nonce,
    },
}

/// Where a rotated record came from, and which open storage moved it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) key: SessionKey,
    pub(crate) owner: Nonce,
}

/// Why the bytes of a file are not what was written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It does not begin as our files do, or it belongs to another key.
    Foreign,
    /// It begins well, and then its length or a checksum does not match.
    Torn,
    /// It is whole, and of a format this version does not know.
    Newer,
}

/// The bytes of a file.
pub(crate) fn encode(head: &Head, body: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEAD + body.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&FORMAT.to_le_bytes());
    file.extend_from_slice(&[head.kind.code(), 0]);
    file.extend_from_slice(&(body.len() as u64).to_le_bytes());
    file.extend_from_slice(&sum(body));
    file.extend_from_slice(head.key.to_string().as_bytes());
    file.extend_from_slice(&head.stamp);
    head.kind.write(&mut file);
    file.resize(AT_HEAD_SUM, 0);
    let head_sum = sum(&file);
    file.extend_from_slice(&head_sum);
    file.extend_from_slice(body);
    file
}

/// Reads a head and how long the body is, from the first bytes of a file of `length` bytes.
pub(crate) fn decode_head(bytes: &[u8], length: u64) -> Result<(Head, u64), Flaw> {
    let (magic, _) = bytes.split_at_checked(MAGIC.len()).ok_or(Flaw::Torn)?;
    if magic != MAGIC {
        return Err(if magic.iter().all(|&byte| byte == 0) {
            Flaw::Torn
        } else {
            Flaw::Foreign
        });
    }
    let bytes: &[u8; HEAD] = bytes.first_chunk().ok_or(Flaw::Torn)?;
    if bytes[AT_HEAD_SUM..] != sum(&bytes[..AT_HEAD_SUM]) {
        return Err(Flaw::Torn);
    }
    let mut reader = Reader(&bytes[MAGIC.len()..]);
    if u16::from_le_bytes(reader.take()?) != FORMAT {
        return Err(Flaw::Newer);
    }
    let [code, _] = reader.take()?;
    let body = reader.number()?;
    if length != body.saturating_add(HEAD as u64) {
        return Err(Flaw::Torn);
    }
    let mut reader = Reader(&bytes[AT_KEY..]);
    let text: [u8; KEY] = reader.take()?;
    let text = std::str::from_utf8(&text).map_err(|_| Flaw::Newer)?;
    let head = Head {
        key: key_of_text(text)?,
        stamp: reader.take()?,
        kind: Kind::read(code, &mut Reader(&bytes[AT_FIELDS..AT_HEAD_SUM]))?,
    };
    Ok((head, body))
}

/// Checks a body against the head in front of it.
pub(crate) fn check_body(head: &[u8], body: &[u8]) -> Result<(), Flaw> {
    if head.get(AT_BODY_SUM..AT_BODY_SUM + SUM) == Some(sum(body).as_slice()) {
        Ok(())
    } else {
        Err(Flaw::Torn)
    }
}

fn sum(bytes: &[u8]) -> [u8; SUM] {
    let mut cut = [0; SUM];
    cut.copy_from_slice(&Sha256::digest(bytes)[..SUM]);
    cut
}

/// A deadline that is not there is written as the last number.
const NO_DEADLINE: u64 = u64::MAX;

impl Kind {
    const fn code(&self) -> u8 {
        match self {
            Self::Record { .. } => 1,
            Self::Moved { .. } => 2,
            Self::Ended => 3,
            Self::SetAside { .. } => 4,
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
            Self::SetAside { until } => number(until.as_millis()),
            Self::Lease { token, until, owner } => {
                number(until.as_millis());
                file.extend_from_slice(token.as_bytes());
                file.extend_from_slice(owner);
            }
        }
    }

    fn read(code: u8, fields: &mut Reader<'_>) -> Result<Self, Flaw> {
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
                to: fields.key_or_none()?.ok_or(Flaw::Newer)?,
            },
            3 => Self::Ended,
            4 => Self::SetAside {
                until: fields.timestamp()?,
            },
            5 => Self::Lease {
                until: fields.timestamp()?,
                token: LockToken::from_bytes(fields.take()?),
                owner: fields.take()?,
            },
            _ => return Err(Flaw::Newer),
        })
    }
}

/// Takes fields off the front. The head's sum has been checked, so what does not fit was written by another version.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Flaw::Newer)?;
        self.0 = rest;
        Ok(*field)
    }

    fn number(&mut self) -> Result<u64, Flaw> {
        self.take().map(u64::from_le_bytes)
    }

    fn timestamp(&mut self) -> Result<Timestamp, Flaw> {
        self.number().map(Timestamp::from_millis)
    }

    fn key_or_none(&mut self) -> Result<Option<SessionKey>, Flaw> {
        let digest: [u8; 32] = self.take()?;
        let shard: [u8; 3] = self.take()?;
        if shard == [0; 3] {
            return Ok(None);
        }
        let shard = std::str::from_utf8(&shard).map_err(|_| Flaw::Newer)?;
        key_of_text(&format!("{shard}:{}", hex(&digest))).map(Some)
    }
}

fn key_of_text(text: &str) -> Result<SessionKey, Flaw> {
    text.parse().map_err(|_| Flaw::Newer)
}

fn write_key(file: &mut Vec<u8>, key: &SessionKey) {
    file.extend_from_slice(key.digest());
    file.extend_from_slice(key.shard().as_bytes());
}

/// What was read from one file.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) head: Head,
    /// Empty where only the head was asked for.
    pub(crate) body: Bytes,
}
