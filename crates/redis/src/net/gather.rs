//! [`Gather`]: lets those who are about to speak do so before what was said is sent.
//!
//! A call puts its command into a queue and wakes the task that drives the connection, and a scheduler that runs what
//! was woken last first lets that task write at once: one command, by a system call of its own here and another on the
//! server, though many more tasks are ready to add theirs. So the driver is sent to the end of the queue of those that
//! are ready, and writes when it comes back, or the time after that if there was more by then.
//!
//! Nothing is kept here: bytes stay with whoever offers them until the stream beneath has taken them. So there is
//! nothing to flush, nothing to lose, and what a peer sends is read meanwhile.

use std::io;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How often a write may be put off. The first time lets those be heard that are ready, the second those that they woke.
const TURNS: u8 = 2;

/// A write of this length is worth a system call, and more may not come: the client stops adding to it at 8 KiB.
const ENOUGH: usize = 4_096;

/// How many writes pass without waiting for others, at most, after nobody came.
const LONGEST_REST: u8 = 32;

/// A stream that puts off writing, for a turn or two of the scheduler, while that brings more to write.
///
/// It does so only while two calls or more are under way; whoever is alone would wait for nobody. Where none of the
/// others has anything to add it rests, for more and more writes each time.
pub(super) struct Gather<S, C> {
    stream: S,
    /// Its owners are the calls under way, and the one that keeps the connection.
    calls: Weak<C>,
    /// How often the present write was put off.
    turns: u8,
    /// How long it was when it was looked at last.
    seen: usize,
    /// Whether the stream beneath was asked to take it, and has not taken all: then it is late already.
    begun: bool,
    /// How many more writes pass at once.
    rest: u8,
    /// How many will, the next time nobody comes.
    next_rest: u8,
}

impl<S, C> Gather<S, C> {
    pub(super) fn new(stream: S, calls: Weak<C>) -> Self {
        Self {
            stream,
            calls,
            turns: 0,
            seen: 0,
            begun: false,
            rest: 0,
            next_rest: 1,
        }
    }

    /// Whether a write of this length is to be put off, once more or for the first time.
    fn waits(&mut self, length: usize) -> bool {
        if self.begun {
            return false;
        }
        if self.turns == 0 {
            if length >= ENOUGH {
                return false;
            }
            // One of those that hold it is not a call.
            if self.calls.strong_count() <= 2 {
                return false;
            }
            if self.rest > 0 {
                self.rest -= 1;
                return false;
            }
        } else if length > self.seen {
            self.next_rest = 1;
        } else {
            if self.turns == 1 {
                self.rest = self.next_rest;
                self.next_rest = (self.next_rest * 2).min(LONGEST_REST);
            }
            return false;
        }
        if self.turns == TURNS || length >= ENOUGH {
            return false;
        }
        (self.turns, self.seen) = (self.turns + 1, length);
        true
    }
}

impl<S: AsyncWrite + Unpin, C> AsyncWrite for Gather<S, C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.waits(bytes.len()) {
            // The only thing that is waited for is the next turn, so this wakes whoever asked.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        (self.turns, self.seen) = (0, 0);
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.begun = !matches!(written, Poll::Ready(Ok(length)) if length == bytes.len());
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin, C> AsyncRead for Gather<S, C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests;
