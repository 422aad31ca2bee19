//! [`WaitQueue`]: the tasks that want the lock of one session.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use sessile_core::{LockToken, OsEntropy, StorageErrorKind};
use tokio::sync::{Notify, oneshot};

use super::message::Message;

/// The tasks of this process that want the lock of one session, in the order in which they came.
///
/// The queue is removed with its last waiter, so a queue that exists has a head.
pub(super) struct WaitQueue {
    /// The waiter that may ask the server.
    pub(super) head: u64,
    /// The token with which the head asks. The next head takes it over, together with its entry in the server's queue.
    pub(super) token: LockToken,
    /// True if the server may have received the token.
    pub(super) is_sent: bool,
    /// True if the token was left in the server's queue.
    pub(super) is_enqueued: bool,
    /// The last message for the token that was not taken yet.
    pub(super) message: Option<Message>,
    /// The last request that may have left the token in the server's queue.
    pub(super) request: Option<Request>,
    /// Notified when a message may have arrived. Created when a waiter first waits for one.
    pub(super) notify: Option<Arc<Notify>>,
    /// The waiters behind the head.
    pub(super) rest: VecDeque<(u64, oneshot::Sender<Signal>)>,
}

/// The signal that ends a waiter's time behind the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// The waiter is the head now.
    Head,
    /// There is nothing to wait for any longer.
    End(End),
}

/// The reason why there is nothing to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The session is gone.
    Missing,
    /// The session has moved.
    Superseded,
    /// The request to the server failed.
    Failed(StorageErrorKind),
}

/// A request for a lock that asks for a message later. The server grants the lock to it only after it began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    /// Distinguishes it from other requests with the same token.
    pub(super) number: u64,
    pub(super) began: Instant,
}

impl WaitQueue {
    pub(super) fn new(head: u64) -> Self {
        Self {
            head,
            token: LockToken::generate(&OsEntropy),
            is_sent: false,
            is_enqueued: false,
            message: None,
            request: None,
            notify: None,
            rest: VecDeque::new(),
        }
    }

    /// Wakes the head, if it waits for a message.
    pub(super) fn notify(&self) {
        if let Some(notify) = &self.notify {
            notify.notify_one();
        }
    }

    /// Makes the next waiter the head. Returns `false` if there is none.
    pub(super) fn advance(&mut self) -> bool {
        match self.rest.pop_front() {
            Some((id, signal)) => {
                self.head = id;
                // A waiter that is being dropped no longer receives this. It finds in `leave` that it is the head, and
                // passes its position on.
                let _ = signal.send(Signal::Head);
                true
            }
            None => false,
        }
    }
}
