//! [`Bounds`]: the most that a document takes in the record of its session.

/// The most that a document may take. What would exceed it is refused, or is replaced by the whole state.
///
/// ```
/// use sessile_document::Bounds;
///
/// let bounds = Bounds { document_bytes: 64 * 1024, ..Bounds::default() };
/// assert_eq!(bounds.queued_messages, 32);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the document as JSON. Default: 1 MiB.
    pub document_bytes: usize,
    /// Bytes of one message of a client. Default: 256 KiB.
    pub message_bytes: usize,
    /// Operations in one message of a client. Default: 1,000.
    pub operations: usize,
    /// Messages that wait for an earlier one. Default: 32.
    pub queued_messages: usize,
    /// The most by which the version of a waiting message may exceed the last one applied. Default: 64.
    pub queued_distance: u64,
    /// Bytes of all messages that wait. Default: 256 KiB.
    pub queued_bytes: usize,
    /// Changes of the server that a client has not confirmed. Older ones are forgotten; a message that has not seen
    /// them is answered with the whole state. Default: 1,024.
    pub log_steps: usize,
    /// Changes that were not sent yet. If there are more, the whole state is sent in their place. Default: 256.
    pub unsent_operations: usize,
    /// Bytes of the values in changes that were not sent yet, as for their number. Default: 128 KiB.
    pub unsent_bytes: usize,
}

/// The most that may be nested in a document: arrays, objects, and a scalar in the innermost one.
///
/// JSON readers stop at 128, and the document lies a few levels deep in the record of its session.
pub(crate) const MAX_DEPTH: usize = 100;

impl Default for Bounds {
    fn default() -> Self {
        Self {
            document_bytes: 1024 * 1024,
            message_bytes: 256 * 1024,
            operations: 1000,
            queued_messages: 32,
            queued_distance: 64,
            queued_bytes: 256 * 1024,
            log_steps: 1024,
            unsent_operations: 256,
            unsent_bytes: 128 * 1024,
        }
    }
}
