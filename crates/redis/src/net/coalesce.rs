//! [`Coalesce`]: combines the commands of several tasks into one write.
//!
//! A call puts its command into a queue and wakes the task that drives the connection. A scheduler that runs the most
//! recently woken task first lets the driver write at once: each command then costs one system call here and another on
//! the server, although many more tasks are ready to add theirs. The driver therefore yields to the ready tasks first,
//! and once more if they have added commands.
//!
//! This stream buffers nothing: the bytes stay with the caller until the inner stream has taken them. So there is
//! nothing to flush, nothing to lose, and reads go on meanwhile.

use std::io;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The number of times for which a write may be delayed: once for the tasks that are ready, once for those that they
/// woke.
const MAX_DELAYS: u8 = 2;

/// The length of a write that is not delayed. It is worth a system call, and might not grow: the client stops adding at
/// 8 KiB.
const LARGE_WRITE: usize = 4_096;

/// The largest number of writes that skip the delay after one was in vain.
const MAX_SKIPS: u8 = 32;

/// A stream that delays writes by one or two turns of the scheduler while that adds to them.
///
/// It delays only while two or more calls are under way, since a single call would delay itself in vain. After a delay
/// that added nothing, it skips the delay for a number of writes, which doubles each time.
pub(super) struct Coalesce<S, C> {
    stream: S,
    /// Owned by the calls under way, and by the state of the connection.
    calls: Weak<C>,
    /// The number of times for which the present write was delayed.
    delays: u8,
    /// The length of the present write at its last delay.
    last_length: usize,
    /// True if the inner stream has taken only a part of the present write. The rest is not delayed.
    in_progress: bool,
    /// The number of writes that still skip the delay.
    skips: u8,
    /// The number of writes that will skip the delay after the next one in vain.
    next_skips: u8,
}

impl<S, C> Coalesce<S, C> {
    pub(super) fn new(stream: S, calls: Weak<C>) -> Self {
        Self {
            stream,
            calls,
            delays: 0,
            last_length: 0,
            in_progress: false,
            skips: 0,
            next_skips: 1,
        }
    }

    /// Returns whether to delay a write of this length, for the first time or once more.
    fn should_delay(&mut self, length: usize) -> bool {
        if self.in_progress {
            return false;
        }
        if self.delays == 0 {
            if length >= LARGE_WRITE {
                return false;
            }
            // One owner is the state of the connection, not a call.
            if self.calls.strong_count() <= 2 {
                return false;
            }
            if self.skips > 0 {
                self.skips -= 1;
                return false;
            }
        } else if length > self.last_length {
            self.next_skips = 1;
        } else {
            if self.delays == 1 {
                self.skips = self.next_skips;
                self.next_skips = (self.next_skips * 2).min(MAX_SKIPS);
            }
            return false;
        }
        if self.delays == MAX_DELAYS || length >= LARGE_WRITE {
            return false;
        }
        (self.delays, self.last_length) = (self.delays + 1, length);
        true
    }
}

impl<S: AsyncWrite + Unpin, C> AsyncWrite for Coalesce<S, C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.should_delay(bytes.len()) {
            // The write waits only for the other tasks that are ready, so this task is woken at once.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        (self.delays, self.last_length) = (0, 0);
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_progress = !matches!(written, Poll::Ready(Ok(length)) if length == bytes.len());
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin, C> AsyncRead for Coalesce<S, C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests;
