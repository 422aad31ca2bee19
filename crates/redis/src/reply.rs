//! [`Reply`]: the reply of a script.

use std::time::Duration;

use redis::Value;
use sessile_core::{StorageErrorKind, Timestamp};

use crate::error::Failure;

/// The reply of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The operation was executed; with the value, if one was requested.
    Done(Option<Vec<u8>>),
    /// The lock had already been granted to this token, by a message that has not arrived.
    Granted(Vec<u8>),
    /// The key has no value.
    Missing,
    /// The key has a tombstone.
    Superseded,
    /// The key has an alias of the key with this digest. It is a tombstone for callers that do not follow aliases.
    Alias { target: Vec<u8> },
    /// The key has a record that is arriving from the key with this digest. It counts if the value there points here.
    Arriving { from: Vec<u8> },
    /// The lock is not held with this token.
    Lost,
    /// Another token holds the lock. The state may change after this time.
    Busy(Duration),
    /// The key is taken.
    Exists,
    /// The record has another version than the one given.
    Rewritten,
    /// The request arrived after its validity. Nothing was done.
    Late,
    /// The keys of a rotation are on different nodes at present. Nothing was done.
    SplitSlot,
}

impl Reply {
    /// Reads a reply, and the time that came with it, if one did.
    pub(crate) fn read(value: Value) -> Result<(Self, Option<Timestamp>), Failure> {
        let items = match value {
            Value::Array(items) => items,
            Value::Int(1) => return Ok((Self::Done(None), None)),
            _ => return Err(Failure::UnexpectedReply),
        };
        let mut items = items.into_iter();
        let mut int = || match items.next() {
            Some(Value::Int(int)) => Some(int),
            _ => None,
        };
        let (Some(code), Some(now)) = (int(), int()) else {
            return Err(Failure::UnexpectedReply);
        };
        let reply = match (code, items.next(), items.next()) {
            (0, None, _) => Self::Missing,
            (1, None, _) => Self::Done(None),
            (1, Some(Value::BulkString(value)), None) => Self::Done(Some(value)),
            (1, Some(Value::BulkString(value)), Some(_)) => Self::Granted(value),
            (2, None, _) => Self::Superseded,
            (3, Some(Value::BulkString(target)), None) => Self::Alias { target },
            (4, None, _) => Self::Lost,
            (5, Some(Value::Int(millis)), _) => Self::Busy(Duration::from_millis(u64::try_from(millis).unwrap_or(0))),
            (6, None, _) => Self::Exists,
            (7, None, _) => Self::Rewritten,
            (8, None, _) => Self::Late,
            (9, None, _) => Self::SplitSlot,
            (10, Some(Value::BulkString(from)), None) => Self::Arriving { from },
            _ => return Err(Failure::UnexpectedReply),
        };
        Ok((reply, Some(Timestamp::from_millis(u64::try_from(now).unwrap_or(0)))))
    }

    /// Returns the error that this reply means for an operation that needs a record and its lock.
    pub(crate) fn refusal(self) -> Result<StorageErrorKind, Failure> {
        match self {
            Self::Missing => Ok(StorageErrorKind::Gone),
            Self::Superseded => Ok(StorageErrorKind::Superseded),
            // The session of an alias has moved, and left the lock behind.
            Self::Lost | Self::Alias { .. } | Self::Arriving { .. } => Ok(StorageErrorKind::LockLost),
            Self::Exists => Ok(StorageErrorKind::Exists),
            Self::Done(_) | Self::Granted(_) | Self::Busy(_) | Self::Rewritten | Self::Late | Self::SplitSlot => {
                Err(Failure::UnexpectedReply)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use redis::Value::{Array, BulkString, Int, Nil};

    use super::*;

    #[test]
    fn replies_are_read_and_malformed_ones_are_not() {
        let read = |items: Vec<Value>| Reply::read(Array(items)).ok();
        let now = Some(Timestamp::from_millis(7));
        assert_eq!(read(vec![Int(0), Int(7)]), Some((Reply::Missing, now)));
        assert_eq!(read(vec![Int(1), Int(7)]), Some((Reply::Done(None), now)));
        let found = Reply::Done(Some(b"v".to_vec()));
        assert_eq!(
            read(vec![Int(1), Int(7), BulkString(b"v".to_vec())]),
            Some((found, now))
        );
        let busy = Reply::Busy(Duration::from_millis(30));
        assert_eq!(read(vec![Int(5), Int(7), Int(30)]), Some((busy, now)));
        assert_eq!(read(vec![Int(8), Int(7)]), Some((Reply::Late, now)));
        for malformed in [
            vec![],
            vec![Int(1)],
            vec![Int(11), Int(7)],
            vec![Int(10), Int(7)],
            vec![Int(3), Int(7)],
            vec![Int(1), Int(7), Nil],
        ] {
            assert_eq!(read(malformed), None);
        }
        assert!(matches!(Reply::read(Int(1)), Ok((Reply::Done(None), None))));
        for malformed in [Nil, Int(0), Int(2)] {
            assert!(Reply::read(malformed).is_err());
        }
    }
}
