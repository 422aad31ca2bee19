//! Events of a history as lines of text, in which one process sends them to another.

use std::fmt::{self, Write as _};
use std::str::{FromStr, SplitWhitespace};
use std::time::Duration;

use sessile_core::{SessionKey, StorageErrorKind, Timestamp};

use super::{Call, CallResult, Completion, Mark, RecordedCall, Seen, Write};

/// The invocation or the completion of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Invoked {
        number: u64,
        recorded: RecordedCall,
    },
    Completed {
        process: u64,
        number: u64,
        completion: Completion,
    },
}

/// The end of each line. A line without it was cut off when its writer died.
const END: &str = " .";

/// The names of kinds of errors in a line.
const KINDS: [(StorageErrorKind, &str); 8] = [
    (StorageErrorKind::Exists, "exists"),
    (StorageErrorKind::Gone, "gone"),
    (StorageErrorKind::Superseded, "superseded"),
    (StorageErrorKind::LockLost, "lock-lost"),
    (StorageErrorKind::LockTimeout, "lock-timeout"),
    (StorageErrorKind::TooManyWaiters, "too-many-waiters"),
    (StorageErrorKind::Full, "full"),
    (StorageErrorKind::Unsupported, "unsupported"),
];

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invoked { number, recorded } => {
                let RecordedCall {
                    process,
                    call,
                    invoked,
                    clock_before,
                    ..
                } = recorded;
                write!(f, "call {process} {number} {invoked} {} ", clock_before.as_millis())?;
                write_call(f, call)?;
            }
            Self::Completed {
                process,
                number,
                completion,
            } => {
                let Completion {
                    result,
                    at,
                    clock_after,
                } = completion;
                write!(f, "result {process} {number} {at} {} ", clock_after.as_millis())?;
                write_result(f, result)?;
            }
        }
        f.write_str(END)
    }
}

fn write_call(f: &mut fmt::Formatter<'_>, call: &Call) -> fmt::Result {
    let key = call.key();
    match call {
        Call::Read { .. } => write!(f, "read {key}"),
        Call::Lock { wait, .. } => write!(f, "lock {key} {}", millis(wait)),
        Call::Create { write, .. } => write!(f, "create {key} {}", Text(write)),
        Call::Commit { write, .. } => write!(f, "commit {key} {}", Text(write)),
        Call::Replace { write, .. } => write!(f, "replace {key} {}", Text(write)),
        Call::Rotate { to, write, grace, .. } => {
            write!(f, "rotate {key} {to} {} {}", millis(grace), Text(write))
        }
        Call::Touch { deadline, .. } => write!(f, "touch {key} {}", Text(deadline)),
        Call::Destroy { .. } => write!(f, "destroy {key}"),
    }
}

fn write_result(f: &mut fmt::Formatter<'_>, result: &CallResult) -> fmt::Result {
    match result {
        CallResult::Done => f.write_str("done"),
        CallResult::Found(seen) => {
            let Seen { key, mark, deadline } = *seen;
            write!(f, "found {key} {}", Text(&Write { mark, deadline }))
        }
        CallResult::Missing => f.write_str("missing"),
        CallResult::Superseded => f.write_str("superseded"),
        CallResult::Declined => f.write_str("declined"),
        CallResult::Refused(kind) => {
            let name = KINDS.iter().find(|(known, _)| known == kind);
            write!(f, "refused {}", name.map_or("other", |(_, name)| *name))
        }
    }
}

fn millis(duration: &Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Formats a part of a line.
struct Text<'a, T>(&'a T);

impl fmt::Display for Text<'_, Option<Timestamp>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(moment) => write!(f, "{}", moment.as_millis()),
            None => f.write_char('-'),
        }
    }
}

impl fmt::Display for Text<'_, Write> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Write { mark, deadline } = self.0;
        write!(f, "{} ", Text(deadline))?;
        match mark {
            Some(mark) => write!(f, "{} {} {}", mark.position, mark.id, mark.previous),
            None => f.write_char('-'),
        }
    }
}

/// The text is not an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ParseEventError;

impl FromStr for Event {
    type Err = ParseEventError;

    fn from_str(text: &str) -> Result<Self, ParseEventError> {
        let words = text.strip_suffix(END).ok_or(ParseEventError)?;
        Parts(words.split_whitespace()).event().ok_or(ParseEventError)
    }
}

struct Parts<'a>(SplitWhitespace<'a>);

impl Parts<'_> {
    fn event(&mut self) -> Option<Event> {
        let is_call = match self.0.next()? {
            "call" => true,
            "result" => false,
            _ => return None,
        };
        let (process, number, at, clock) = (self.get()?, self.get()?, self.get()?, self.moment()??);
        Some(if is_call {
            let recorded = RecordedCall {
                process,
                call: self.call()?,
                invoked: at,
                clock_before: clock,
                completion: None,
            };
            Event::Invoked { number, recorded }
        } else {
            let result = self.result()?;
            let completion = Completion {
                result,
                at,
                clock_after: clock,
            };
            Event::Completed {
                process,
                number,
                completion,
            }
        })
    }

    fn call(&mut self) -> Option<Call> {
        let operation = self.0.next()?;
        let key: SessionKey = self.get()?;
        Some(match operation {
            "read" => Call::Read { key },
            "lock" => Call::Lock {
                key,
                wait: self.duration()?,
            },
            "create" => Call::Create {
                key,
                write: self.write()?,
            },
            "commit" => Call::Commit {
                key,
                write: self.write()?,
            },
            "replace" => Call::Replace {
                key,
                write: self.write()?,
            },
            "rotate" => Call::Rotate {
                key,
                to: self.get()?,
                grace: self.duration()?,
                write: self.write()?,
            },
            "touch" => Call::Touch {
                key,
                deadline: self.moment()?,
            },
            "destroy" => Call::Destroy { key },
            _ => return None,
        })
    }

    fn result(&mut self) -> Option<CallResult> {
        Some(match self.0.next()? {
            "done" => CallResult::Done,
            "found" => {
                let key = self.get()?;
                let Write { mark, deadline } = self.write()?;
                CallResult::Found(Seen { key, mark, deadline })
            }
            "missing" => CallResult::Missing,
            "superseded" => CallResult::Superseded,
            "declined" => CallResult::Declined,
            "refused" => {
                let name = self.0.next()?;
                let kind = KINDS.iter().find(|(_, known)| *known == name);
                CallResult::Refused(kind.map_or(StorageErrorKind::Other, |(kind, _)| *kind))
            }
            _ => return None,
        })
    }

    fn write(&mut self) -> Option<Write> {
        let deadline = self.moment()?;
        let mark = match self.0.next()? {
            "-" => None,
            position => Some(Mark {
                position: position.parse().ok()?,
                id: self.get()?,
                previous: self.get()?,
            }),
        };
        Some(Write { mark, deadline })
    }

    fn duration(&mut self) -> Option<Duration> {
        self.get().map(Duration::from_millis)
    }

    fn moment(&mut self) -> Option<Option<Timestamp>> {
        match self.0.next()? {
            "-" => Some(None),
            millis => Some(Some(Timestamp::from_millis(millis.parse().ok()?))),
        }
    }

    fn get<T: FromStr>(&mut self) -> Option<T> {
        self.0.next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests;
