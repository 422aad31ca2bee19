//! [`Change`]: one edit by a client that was applied.

use serde_json::Value;

/// One edit by a client, after it was applied to the document.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// The place in the document that was written, as a JSON pointer: that of the server, also where the client named an
    /// element by an older index.
    pub path: String,
    /// The value before; `None` if there was none.
    pub from: Option<Value>,
    /// The value now; `None` if it was removed.
    pub to: Option<Value>,
}
