//! [`WritePolicy`]: the parts of a document that a client may write.

use std::fmt;
use std::mem::discriminant;

use serde_json::Value;

/// A decision on each write of a client. Implement it for rules of your own.
///
/// ```
/// use sessile_document::{Verdict, Write, WritePolicy};
///
/// #[derive(Debug)]
/// struct NotesOnly;
///
/// impl WritePolicy for NotesOnly {
///     fn judge(&self, write: &Write<'_>) -> Verdict {
///         if write.path.starts_with("/notes/") { Verdict::Allow } else { Verdict::ReadOnly }
///     }
/// }
/// ```
pub trait WritePolicy: fmt::Debug + Send + Sync + 'static {
    /// Judges one write. It is called before the write is applied. A `move` is judged twice: as a removal and as an
    /// addition.
    fn judge(&self, write: &Write<'_>) -> Verdict;
}

/// One write of a client.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Write<'a> {
    /// The operation.
    pub kind: WriteKind,
    /// The place in the document, as a JSON pointer.
    pub path: &'a str,
    /// The value there now; `None` if there is none.
    pub current: Option<&'a Value>,
    /// The new value; `None` for a removal.
    pub value: Option<&'a Value>,
}

/// The operation of a [`Write`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteKind {
    /// A value is added: `add`, `copy`, or the second half of `move`.
    Add,
    /// A value is replaced.
    Replace,
    /// A value is removed: `remove`, or the first half of `move`.
    Remove,
}

/// The decision of a [`WritePolicy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The write is applied.
    Allow,
    /// The client may not write there, or not by this operation.
    ReadOnly,
    /// The client may write there, but not a value of this JSON type.
    WrongType,
}

pub(crate) fn write<'a>(
    kind: WriteKind,
    path: &'a str,
    current: Option<&'a Value>,
    value: Option<&'a Value>,
) -> Write<'a> {
    Write {
        kind,
        path,
        current,
        value,
    }
}

/// Members whose name ends in `$` can be replaced by a value of the same JSON type. The default.
#[derive(Debug, Clone, Copy, Default)]
pub struct DollarPolicy;

impl WritePolicy for DollarPolicy {
    fn judge(&self, write: &Write<'_>) -> Verdict {
        let (WriteKind::Replace, Some(current), Some(value)) = (write.kind, write.current, write.value) else {
            return Verdict::ReadOnly;
        };
        if !write.path.ends_with('$') {
            return Verdict::ReadOnly;
        }
        if discriminant(current) == discriminant(value) {
            Verdict::Allow
        } else {
            Verdict::WrongType
        }
    }
}

/// Everything can be written, by every operation of RFC 6902.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenPolicy;

impl WritePolicy for OpenPolicy {
    fn judge(&self, _: &Write<'_>) -> Verdict {
        Verdict::Allow
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dollar_members_keep_their_type() {
        let judge = |kind, path, current: Value, value: Value| {
            DollarPolicy.judge(&write(kind, path, Some(&current), Some(&value)))
        };
        let replace = WriteKind::Replace;
        assert_eq!(judge(replace, "/n$", json!(1), json!(2.5)), Verdict::Allow);
        assert_eq!(judge(replace, "/n$", json!(1), json!("2")), Verdict::WrongType);
        assert_eq!(judge(replace, "/n$", json!(1), json!(null)), Verdict::WrongType);
        assert_eq!(judge(replace, "/n", json!(1), json!(2)), Verdict::ReadOnly);
        assert_eq!(judge(replace, "/n$/0", json!(1), json!(2)), Verdict::ReadOnly);
        assert_eq!(judge(WriteKind::Add, "/n$", json!(1), json!(2)), Verdict::ReadOnly);
    }
}
