//! Waiting for locks, first within the process and then among processes.
//!
//! Within a process, the tasks that want the lock of one session wait in a FIFO queue ([`queue`]). Only the head of
//! the queue asks the server. If the server reports that the lock is held, the head leaves its token in a queue on the
//! server. The process that releases the lock hands it to the first entry of that queue, together with the record, by
//! publishing on a channel of the waiting process ([`message`]). Each process has one entry in the server's queue, so
//! processes take turns. An entry expires after a few poll intervals unless its owner renews it: a process that does
//! not may have been stopped, and is passed over.
//!
//! Messages can get lost. The head therefore asks again from time to time, and at the moment at which the lease of the
//! present holder or the record ends.

mod message;
mod queue;
mod queues;
#[cfg(test)]
mod tests;
mod waiter;

pub(crate) use self::message::Message;
pub(crate) use self::queue::{End, Signal};
pub(crate) use self::queues::WaitQueues;
pub(crate) use self::waiter::Waiter;
