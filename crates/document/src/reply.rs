//! [`Reply`]: what a message of a client is answered with.

use crate::error::DocumentError;

/// The answer to a message of a client.
#[derive(Debug)]
#[non_exhaustive]
pub struct Reply {
    /// The outcome of the message.
    pub kind: ReplyKind,
    /// The answer as JSON: always an array of operations. Over a WebSocket, [`AlreadyApplied`](ReplyKind::AlreadyApplied)
    /// and [`Queued`](ReplyKind::Queued) are not sent.
    pub body: String,
    /// The error of a message that had waited for this one, and was refused now that its turn came. The client sends it
    /// again, and is told then; a layer with a socket can close it with this reason.
    pub refused: Option<DocumentError>,
}

/// The outcome of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyKind {
    /// It was applied, with all that had waited for it. The answer acknowledges them and has the changes. HTTP: 200.
    Applied,
    /// It had been applied before. The answer is `[]`. HTTP: 200.
    AlreadyApplied,
    /// It waits for an earlier one. The answer is `[]`. HTTP: 202.
    Queued,
    /// It was a sign of life, `[]`, and so is the answer. HTTP: 200.
    Heartbeat,
}

impl Reply {
    pub(crate) fn empty(kind: ReplyKind) -> Self {
        Self {
            kind,
            body: "[]".to_owned(),
            refused: None,
        }
    }
}
