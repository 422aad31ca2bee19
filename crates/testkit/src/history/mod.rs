//! Histories: the calls of all clients with their results, and the check whether they are possible.

mod call;
mod check;
mod event;
mod mark;
mod recorder;
mod recording;
mod time;

pub use self::call::{Call, CallResult, Completion, History, RecordedCall, Seen, Write};
pub use self::check::{Lost, Promise, Setback, Summary, Tolerance, Violation, Violations};
pub(crate) use self::event::Event;
pub use self::mark::Mark;
pub(crate) use self::recorder::EventLog;
pub use self::recorder::Recorder;
pub use self::recording::Recording;
