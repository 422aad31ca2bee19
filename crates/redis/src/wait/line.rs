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
    /// When the server was last asked before it said that the lock is held by others: what it grants, it grants later.
    pub(super) refused_at: Option<Instant>,
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
    /// The lock is yours, and this is the record.
    Granted(Vec<u8>),
    /// Something has happened.
    LookAgain,
}

impl Line {
    pub(super) fn new(front: u64) -> Self {
        Self {
            front,
            token: LockToken::generate(&OsEntropy),
            asked: false,
            left: false,
            news: None,
            refused_at: None,
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
