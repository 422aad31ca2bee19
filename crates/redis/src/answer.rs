//! What the scripts answer.

use std::time::Duration;

use redis::Value;
use sessile_core::{StorageErrorKind, Timestamp};

use crate::error::Failure;

/// What a script did or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done; with the value, if one was asked for.
    Done(Option<Vec<u8>>),
    /// The lock had been given to this token already, without its owner having been told.
    Granted(Vec<u8>),
    /// Nothing stands here.
    Missing,
    /// A tombstone stands here.
    Superseded,
    /// An alias stands here, of the key with this digest; to one who follows tombstones, a tombstone too.
    Alias { target: Vec<u8> },
    /// A record is arriving here from the key with this digest. Whether it counts, a mark under that key says.
    Arriving { from: Vec<u8> },
    /// The lock is not held with this token.
    Lost,
    /// The lock is held by another; things may have changed after this time.
    Busy(Duration),
    /// The key is taken.
    Exists,
    /// The record has another version than was asked for.
    Rewritten,
    /// The question has come later than its answer is wanted. Nothing was done.
    Late,
    /// The keys of a move are at different places for the moment. Nothing was done.
    Apart,
}

impl Answer {
    /// Reads an answer and the time that came with it, if one did.
    pub(crate) fn read(value: Value) -> Result<(Self, Option<Timestamp>), Failure> {
        let items = match value {
            Value::Array(items) => items,
            Value::Int(1) => return Ok((Self::Done(None), None)),
            _ => return Err(Failure::Nonsense),
        };
        let mut items = items.into_iter();
        let mut int = || match items.next() {
            Some(Value::Int(int)) => Some(int),
            _ => None,
        };
        let (Some(code), Some(now)) = (int(), int()) else {
            return Err(Failure::Nonsense);
        };
        let answer = match (code, items.next(), items.next()) {
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
            (9, None, _) => Self::Apart,
            (10, Some(Value::BulkString(from)), None) => Self::Arriving { from },
            _ => return Err(Failure::Nonsense),
        };
        Ok((answer, Some(Timestamp::from_millis(u64::try_from(now).unwrap_or(0)))))
    }

    /// What this answer means to a verb that needs a record and its lock: why it was refused.
    pub(crate) fn refusal(self) -> Result<StorageErrorKind, Failure> {
        match self {
            Self::Missing => Ok(StorageErrorKind::Gone),
            Self::Superseded => Ok(StorageErrorKind::Superseded),
            // Where an alias stands, the session has moved and left the lock behind.
            Self::Lost | Self::Alias { .. } | Self::Arriving { .. } => Ok(StorageErrorKind::LockLost),
            Self::Exists => Ok(StorageErrorKind::Exists),
            Self::Done(_) | Self::Granted(_) | Self::Busy(_) | Self::Rewritten | Self::Late | Self::Apart => {
                Err(Failure::Nonsense)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use redis::Value::{Array, BulkString, Int, Nil};

    use super::*;

    #[test]
    fn answers_are_read_and_nonsense_is_not() {
        let read = |items: Vec<Value>| Answer::read(Array(items)).ok();
        let now = Some(Timestamp::from_millis(7));
        assert_eq!(read(vec![Int(0), Int(7)]), Some((Answer::Missing, now)));
        assert_eq!(read(vec![Int(1), Int(7)]), Some((Answer::Done(None), now)));
        let found = Answer::Done(Some(b"v".to_vec()));
        assert_eq!(
            read(vec![Int(1), Int(7), BulkString(b"v".to_vec())]),
            Some((found, now))
        );
        let busy = Answer::Busy(Duration::from_millis(30));
        assert_eq!(read(vec![Int(5), Int(7), Int(30)]), Some((busy, now)));
        assert_eq!(read(vec![Int(8), Int(7)]), Some((Answer::Late, now)));
        for nonsense in [
            vec![],
            vec![Int(1)],
            vec![Int(11), Int(7)],
            vec![Int(10), Int(7)],
            vec![Int(3), Int(7)],
            vec![Int(1), Int(7), Nil],
        ] {
            assert_eq!(read(nonsense), None);
        }
        assert!(matches!(Answer::read(Int(1)), Ok((Answer::Done(None), None))));
        for nonsense in [Nil, Int(0), Int(2)] {
            assert!(Answer::read(nonsense).is_err());
        }
    }
}
