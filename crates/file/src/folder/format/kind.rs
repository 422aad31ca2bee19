//! [`Kind`]: the kinds of files, and their fields in the header.

use sessile_core::{LockToken, Meta, SessionKey, Timestamp};

use super::fields::{Reader, write_key};
use super::{Nonce, sum};
use crate::failure::FormatError;

/// The kind of a file, with its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A session. Its facts stand in the body.
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

/// Stands for a missing deadline.
const NO_DEADLINE: u64 = u64::MAX;

const RECORD: u8 = 1;
pub(super) const RECORD_WITH_FACTS: u8 = 6;

/// The offset, among the fields of a record with facts, of the length of the facts, which their sum follows.
pub(super) const AT_FACTS: usize = 32;

impl Kind {
    pub(super) const fn code(&self) -> u8 {
        match self {
            Self::Record { meta, .. } if meta.facts.is_empty() => RECORD,
            Self::Record { .. } => RECORD_WITH_FACTS,
            Self::Moved { .. } => 2,
            Self::Ended => 3,
            Self::Quarantined { .. } => 4,
            Self::Lease { .. } => 5,
        }
    }

    /// Returns the facts that stand at the front of the body.
    pub(super) fn facts(&self) -> &[u8] {
        match self {
            Self::Record { meta, .. } => meta.facts.as_bytes(),
            Self::Moved { .. } | Self::Ended | Self::Quarantined { .. } | Self::Lease { .. } => &[],
        }
    }

    pub(super) fn write(&self, file: &mut Vec<u8>) {
        let mut number = |n: u64| file.extend_from_slice(&n.to_le_bytes());
        match self {
            Self::Record { meta, from } => {
                number(meta.created_at.as_millis());
                number(meta.last_active.as_millis());
                number(meta.deadline.map_or(NO_DEADLINE, Timestamp::as_millis));
                number(meta.version);
                let facts = meta.facts.as_bytes();
                if !facts.is_empty() {
                    file.extend_from_slice(&(facts.len() as u16).to_le_bytes());
                    file.extend_from_slice(&sum(&[facts]));
                }
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

    /// Decodes the fields. The facts of a record are not among them.
    pub(super) fn read(code: u8, fields: &mut Reader<'_>) -> Result<Self, FormatError> {
        Ok(match code {
            RECORD | RECORD_WITH_FACTS => {
                let mut meta = Meta::new(fields.timestamp()?);
                meta.last_active = fields.timestamp()?;
                meta.deadline = Some(fields.number()?)
                    .filter(|&millis| millis != NO_DEADLINE)
                    .map(Timestamp::from_millis);
                meta.version = fields.number()?;
                if code == RECORD_WITH_FACTS {
                    let _length_and_sum: [u8; 18] = fields.take()?;
                }
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
