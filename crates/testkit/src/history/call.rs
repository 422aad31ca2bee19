//! The types that a history consists of.

use std::fmt;
use std::time::Duration;

use sessile_core::{SessionKey, StorageErrorKind, Timestamp};

use super::Mark;

/// The calls that several clients made to one storage, and their results.
///
/// [`Recorder`](super::Recorder) collects a history, and [`History::check`] checks it.
///
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The calls, in any order.
    pub calls: Vec<RecordedCall>,
}

/// A call and its completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCall {
    /// The process that made the call.
    pub process: u64,
    /// The operation and its arguments.
    pub call: Call,
    /// The time before the call, in nanoseconds of a clock that all processes share.
    pub invoked: u64,
    /// The time before the call, by the clock of the storage.
    pub clock_before: Timestamp,
    /// The completion, recorded after the call. `None` if it is not known whether the call took effect: the caller died
    /// or dropped the call, or the storage could not tell.
    pub completion: Option<Completion>,
}

/// The result of a call and the time at which it was returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The result.
    pub result: CallResult,
    /// The time of the return, by the clock that all processes share.
    pub at: u64,
    /// The time after the return, by the clock of the storage.
    pub clock_after: Timestamp,
}

/// A write that a call made or attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// The mark of the write. `None` if the payload has no mark.
    pub mark: Option<Mark>,
    /// The deadline of the record.
    pub deadline: Option<Timestamp>,
}

/// An operation and its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the arguments of the operations")]
pub enum Call {
    /// [`Storage::read`](sessile_core::Storage::read)
    Read { key: SessionKey },
    /// [`Storage::lock`](sessile_core::Storage::lock)
    Lock { key: SessionKey, wait: Duration },
    /// [`Storage::create`](sessile_core::Storage::create)
    Create { key: SessionKey, write: Write },
    /// [`Storage::commit`](sessile_core::Storage::commit)
    Commit { key: SessionKey, write: Write },
    /// [`Storage::replace`](sessile_core::Storage::replace)
    Replace { key: SessionKey, write: Write },
    /// [`Storage::rotate`](sessile_core::Storage::rotate)
    Rotate {
        key: SessionKey,
        to: SessionKey,
        write: Write,
        grace: Duration,
    },
    /// [`Storage::touch`](sessile_core::Storage::touch)
    Touch {
        key: SessionKey,
        deadline: Option<Timestamp>,
    },
    /// [`Storage::destroy`](sessile_core::Storage::destroy)
    Destroy { key: SessionKey },
}

/// The part of a record that a history keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The key under which the record was found.
    pub key: SessionKey,
    /// The mark of the write that was found. `None` if the payload is torn.
    pub mark: Option<Mark>,
    /// The deadline of the record.
    pub deadline: Option<Timestamp>,
}

/// The result of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallResult {
    /// The call took effect.
    Done,
    /// The storage found a live session.
    Found(Seen),
    /// The storage found nothing.
    Missing,
    /// The storage found a tombstone.
    Superseded,
    /// The call did nothing because another call came first or the lock was held.
    Declined,
    /// The storage refused the call, and the call did nothing.
    Refused(StorageErrorKind),
}

impl Call {
    /// Returns the key of the call.
    #[must_use]
    pub fn key(&self) -> &SessionKey {
        match self {
            Self::Read { key }
            | Self::Lock { key, .. }
            | Self::Create { key, .. }
            | Self::Commit { key, .. }
            | Self::Replace { key, .. }
            | Self::Rotate { key, .. }
            | Self::Touch { key, .. }
            | Self::Destroy { key } => key,
        }
    }

    /// Returns the write of the call.
    #[must_use]
    pub fn write(&self) -> Option<&Write> {
        match self {
            Self::Create { write, .. }
            | Self::Commit { write, .. }
            | Self::Replace { write, .. }
            | Self::Rotate { write, .. } => Some(write),
            _ => None,
        }
    }
}

impl RecordedCall {
    /// Returns the result, if the call completed.
    #[must_use]
    pub fn result(&self) -> Option<CallResult> {
        self.completion.as_ref().map(|completion| completion.result)
    }

    /// Returns the time of completion, if the call completed.
    #[must_use]
    pub fn returned(&self) -> Option<u64> {
        self.completion.as_ref().map(|completion| completion.at)
    }

    /// Returns the record that a read or a lock found.
    #[must_use]
    pub fn seen(&self) -> Option<Seen> {
        match (self.result(), &self.call) {
            (Some(CallResult::Found(seen)), Call::Read { .. } | Call::Lock { .. }) => Some(seen),
            _ => None,
        }
    }

    /// Returns whether the storage acknowledged that the call took effect.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        matches!(self.result(), Some(CallResult::Done | CallResult::Found(_)))
    }

    /// Returns whether the storage reported that the call did not take effect.
    ///
    /// A `destroy` that found nothing is not such a report. If a reply was lost, a layer below may have repeated the
    /// call, which then finds the session already destroyed.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        match self.result() {
            Some(CallResult::Missing | CallResult::Superseded) => !matches!(self.call, Call::Destroy { .. }),
            Some(CallResult::Declined | CallResult::Refused(_)) => true,
            _ => false,
        }
    }
}

impl fmt::Display for RecordedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |nanos: u64| format!("{}.{:03}", nanos / 1_000_000, nanos / 1_000 % 1_000);
        write!(f, "process {}, from {} ms ", self.process, millis(self.invoked))?;
        match self.returned() {
            Some(at) => write!(f, "to {} ms: ", millis(at))?,
            None => f.write_str("on: ")?,
        }
        write!(f, "{}, ", self.call)?;
        match self.result() {
            Some(result) => write!(f, "{result}"),
            None => f.write_str("outcome unknown"),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key().fingerprint();
        match self {
            Self::Read { .. } => write!(f, "read of {key}"),
            Self::Lock { wait, .. } => write!(f, "lock of {key} within {wait:?}"),
            Self::Create { write, .. } => write!(f, "create of {key} with {write}"),
            Self::Commit { write, .. } => write!(f, "commit to {key} of {write}"),
            Self::Replace { write, .. } => write!(f, "replace at {key} with {write}"),
            Self::Rotate { to, write, .. } => write!(f, "rotate of {key} to {} with {write}", to.fingerprint()),
            Self::Touch { deadline, .. } => write!(f, "touch of {key} until {deadline:?}"),
            Self::Destroy { .. } => write!(f, "destroy of {key}"),
        }
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.mark {
            Some(mark) => write!(f, "{mark}"),
            None => f.write_str("an unmarked payload"),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, id, previous } = self;
        match previous {
            0 => write!(f, "write {id} (number {position}, the first)"),
            previous => write!(f, "write {id} (number {position}, built on write {previous})"),
        }
    }
}

impl fmt::Display for CallResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Found(seen) => match &seen.mark {
                Some(mark) => write!(f, "found {mark} under {}", seen.key.fingerprint()),
                None => write!(f, "found a record that is not whole under {}", seen.key.fingerprint()),
            },
            Self::Missing => f.write_str("found nothing"),
            Self::Superseded => f.write_str("found a tombstone"),
            Self::Declined => f.write_str("declined"),
            Self::Refused(kind) => write!(f, "refused: {kind:?}"),
        }
    }
}
