//! Histories: what each client was told, and whether it can be true.

mod check;
mod line;
mod mark;
mod operation;
mod record;
mod time;

pub use self::check::{Promise, Summary, Tolerance, Violation, Violations};
pub(crate) use self::line::Line;
pub use self::mark::Mark;
pub use self::operation::{Answer, Answered, Call, History, Operation, Seen, Write};
pub(crate) use self::record::Lines;
pub use self::record::{Recorder, Recording};
