//! Waiting for locks.
//!
//! Within a process those who want one session's lock stand in line, in the order in which they came, and only the
//! one in front asks the server: [`lines`]. Where the server says that the lock is held, the front leaves its token in
//! a queue there. Whoever gives the lock up hands it to the first of that queue, with the record, by publishing on a
//! channel of the process that waits: [`ear`]. As each process has one place in that queue, processes take turns. A place
//! is good for a few looks: who does not look for longer may have been stopped, and is passed over.
//!
//! Messages can get lost, so the front looks again from time to time, and at the moment the present holder's lease or
//! the record ends.

mod digest;
mod ear;
mod line;
mod lines;
mod place;
#[cfg(test)]
mod tests;

pub(crate) use self::ear::Ear;
pub(crate) use self::line::{Call, News, Over};
pub(crate) use self::lines::Lines;
pub(crate) use self::place::Place;
