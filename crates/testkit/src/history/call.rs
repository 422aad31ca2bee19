//! What a history is made of.

use std::fmt;
use std::time::Duration;

use sessile_core::{SessionKey, StorageErrorKind, Timestamp};

use super::Mark;

/// What several clients of one storage did and were told.
///
/// Made by [`Recorder`](super::Recorder) and judged by [`History::check`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The operations, in any order.
    pub calls: Vec<RecordedCall>,
}

/// A call and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCall {
    /// Who called.
    pub process: u64,
    /// What was asked for.
    pub call: Call,
    /// When, in nanoseconds of a clock that all processes share: taken before the call.
    pub invoked: u64,
    /// What the clock of the storage showed before the call.
    pub clock_before: Timestamp,
    /// What the answer was and when it came, taken after the call. `None` if it is not known whether the call took
    /// effect: the caller died or gave up, or the storage could not tell.
    pub completion: Option<Completion>,
}

/// An answer, and when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The answer.
    pub result: CallResult,
    /// When it came, by the clock that all processes share.
    pub at: u64,
    /// What the clock of the storage showed by then.
    pub clock_after: Timestamp,
}

/// What was written, or was to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// Which write it is; `None` if the payload carries no mark.
    pub mark: Option<Mark>,
    /// The deadline of the record.
    pub deadline: Option<Timestamp>,
}

/// A verb and its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the arguments of the verbs")]
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

/// What was seen of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The key it was found under.
    pub key: SessionKey,
    /// Which write was seen; `None` if the payload is not whole.
    pub mark: Option<Mark>,
    /// The deadline of the record.
    pub deadline: Option<Timestamp>,
}

/// What a call was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallResult {
    /// It has been done.
    Done,
    /// A live session was found.
    Found(Seen),
    /// Nothing was found.
    Missing,
    /// A tombstone was found.
    Superseded,
    /// Another had come first, or held the lock, and nothing has been done.
    Declined,
    /// It was refused, and nothing has been done.
    Refused(StorageErrorKind),
}

impl Call {
    /// The key the call was about.
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

    /// What the call was to write.
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
    /// The answer, if there was one.
    #[must_use]
    pub fn result(&self) -> Option<CallResult> {
        self.completion.as_ref().map(|completion| completion.result)
    }

    /// When the answer came, if there was one.
    #[must_use]
    pub fn returned(&self) -> Option<u64> {
        self.completion.as_ref().map(|completion| completion.at)
    }

    /// What was seen of a live session.
    #[must_use]
    pub fn seen(&self) -> Option<Seen> {
        match (self.result(), &self.call) {
            (Some(CallResult::Found(seen)), Call::Read { .. } | Call::Lock { .. }) => Some(seen),
            _ => None,
        }
    }

    /// Whether the storage has said that the call took effect.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        matches!(self.result(), Some(CallResult::Done | CallResult::Found(_)))
    }

    /// Whether the storage has said that the call did not take effect.
    ///
    /// A destroy that found nothing has not said so: one whose answer got lost on the way may have been repeated
    /// underneath, and then finds what it has done itself.
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
