//! Applies one operation of RFC 6902 to a document.

use json_patch::PatchOperation;
use serde_json::Value;

use crate::bounds::MAX_DEPTH;
use crate::depth::{bytes, depth};
use crate::error::DocumentError;
use crate::number::equal;
use crate::path::Path;

/// The bytes that a document may still grow by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room(usize);

impl Room {
    pub(crate) fn of(document: &Value, limit: usize) -> Self {
        Self(limit.saturating_sub(bytes(document)))
    }

    /// Takes the room for a value at a path. Removing a value gives none back, until the next message.
    pub(crate) fn take(&mut self, value: &Value, path: &Path) -> Result<(), DocumentError> {
        if depth(value) + path.len() > MAX_DEPTH {
            return Err(DocumentError::TooLarge);
        }
        let name = path.last().map_or(0, |token| token.len() + 4);
        let rest = self.0.checked_sub(bytes(value) + name);
        self.0 = rest.ok_or(DocumentError::TooLarge)?;
        Ok(())
    }
}

/// Applies one operation. If it fails, the document is unchanged.
pub(crate) fn apply(document: &mut Value, operation: &PatchOperation, room: &mut Room) -> Result<(), DocumentError> {
    let path = Path::parse(operation.path().as_str())?;
    let missing = |path: &Path| DocumentError::NoSuchPath { path: path.to_string() };
    match operation {
        PatchOperation::Test(test) => {
            let current = path.find(document).ok_or_else(|| missing(&path))?;
            return if equal(current, &test.value) {
                Ok(())
            } else {
                Err(DocumentError::TestFailed { path: path.to_string() })
            };
        }
        PatchOperation::Add(add) => room.take(&add.value, &path)?,
        PatchOperation::Replace(replace) => {
            // The library replaces the root of a document by any value, and so does the standard.
            room.take(&replace.value, &path)?;
        }
        PatchOperation::Copy(copy) => {
            let from = Path::parse(copy.from.as_str())?;
            let value = from.find(document).ok_or_else(|| missing(&from))?;
            room.take(value, &path)?;
        }
        PatchOperation::Move(moved) => {
            let from = Path::parse(moved.from.as_str())?;
            let value = from.find(document).ok_or_else(|| missing(&from))?;
            if depth(value) + path.len() > MAX_DEPTH {
                return Err(DocumentError::TooLarge);
            }
        }
        PatchOperation::Remove(_) => {}
    }
    let one = std::slice::from_ref(operation);
    json_patch::patch(document, one).map_err(|_| missing(&path))
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn run(mut document: Value, operation: Value, limit: usize) -> Result<Value, DocumentError> {
        let mut room = Room::of(&document, limit);
        let operation = from_value(operation).unwrap();
        apply(&mut document, &operation, &mut room).map(|()| document)
    }

    #[test]
    fn a_test_compares_numbers_by_value() {
        let test = |value| {
            run(
                json!({"n": 1}),
                json!({"op": "test", "path": "/n", "value": value}),
                100,
            )
        };
        assert!(test(json!(1.0)).is_ok());
        let failed = DocumentError::TestFailed { path: "/n".into() };
        assert_eq!(test(json!(1.5)), Err(failed));
    }

    #[test]
    fn copies_cannot_grow_without_bound() {
        let copy = |limit| {
            run(
                json!({"a": [1, 2, 3]}),
                json!({"op": "copy", "from": "", "path": "/b"}),
                limit,
            )
        };
        assert!(copy(100).is_ok());
        assert_eq!(copy(20), Err(DocumentError::TooLarge));
    }

    #[test]
    fn values_cannot_be_nested_without_bound() {
        let mut value = json!(1);
        for _ in 0..98 {
            value = json!([value]);
        }
        let add = |path| {
            run(
                json!({"a": {}}),
                json!({"op": "add", "path": path, "value": value}),
                1000,
            )
        };
        assert!(add("/b").is_ok());
        assert_eq!(add("/a/b"), Err(DocumentError::TooLarge));
    }
}
