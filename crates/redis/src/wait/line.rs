//! [`Line`]: those who want one session's lock, and what they are told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use sessile_core::{LockToken, OsEntropy, StorageErrorKind};
use tokio::sync::{Notify, oneshot};

/// Those who want one session's lock: one in front, and those behind. Nobody keeps a line open who does not stand in
/// it, so a line that is there has a front.
pub(super) struct Line {
    pub(super) front: u64,
    /// What the front asks with. Who comes after it takes it over, and with it the place in the server's queue.
    pub(super) token: LockToken,
    /// Whether the server may have heard of the token.
    pub(super) asked: bool,
    /// Whether it was left in a queue of the server's.
    pub(super) left: bool,
    /// What was heard for the token.
    pub(super) news: Option<News>,
    /// The last look that may have left the token in that queue, and when it began.
    pub(super) look: Option<Look>,
    /// Rung when there may be news. Made when somebody first listens for it.
    pub(super) bell: Option<Arc<Notify>>,
    pub(super) behind: VecDeque<(u64, oneshot::Sender<Call>)>,
}

/// What one in line is told by the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// You are in front.
    Front,
    /// There is nothing to wait for any longer.
    Over(Over),
}

/// Why there is nothing to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The session is gone.
    Missing,
    /// The session has moved.
    Superseded,
    /// The server could not be asked.
    Failed(StorageErrorKind),
}

/// A message from the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The lock is yours, as the look of this number has asked for, and this is the record.
    Granted(u64, Vec<u8>),
    /// Something has happened.
    LookAgain,
}

/// A question for a lock that is to be told of later. What a server grants to it, it grants after it began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Tells it from others with the same token.
    pub(super) number: u64,
    pub(super) began: Instant,
}

impl Line {
    pub(super) fn new(front: u64) -> Self {
        Self {
            front,
            token: LockToken::generate(&OsEntropy),
            asked: false,
            left: false,
            news: None,
            look: None,
            bell: None,
            behind: VecDeque::new(),
        }
    }

    pub(super) fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.notify_one();
        }
    }

    /// Lets the next one come to the front, if there is one.
    pub(super) fn advance(&mut self) -> bool {
        match self.behind.pop_front() {
            Some((id, call)) => {
                self.front = id;
                // Who has just gone, without having left yet, will find itself in front and pass on.
                let _ = call.send(Call::Front);
                true
            }
            None => false,
        }
    }
}
