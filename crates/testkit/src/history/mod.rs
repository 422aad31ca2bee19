//! Histories: what each client was told, and whether it can be true.

mod check;
mod line;
mod mark;
mod operation;
mod record;
mod recorder;
mod time;

pub use self::check::{Lost, Promise, Setback, Summary, Tolerance, Violation, Violations};
pub(crate) use self::line::Line;
pub use self::mark::Mark;
pub use self::operation::{Answer, Answered, Call, History, Operation, Seen, Write};
pub use self::record::Recording;
pub(crate) use self::recorder::Lines;
pub use self::recorder::Recorder;
