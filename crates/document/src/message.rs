//! Messages of clients: their versions, by position, and the operations after them.

use json_patch::PatchOperation;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bounds::{Bounds, MAX_DEPTH};
use crate::depth::depth;
use crate::error::DocumentError;

/// The member of the document that has the version of the client.
pub const CLIENT_VERSION: &str = "_ver#c$";

/// The member of the document that has the version of the server.
pub const SERVER_VERSION: &str = "_ver#s";

/// The largest version: integers beyond it are not exact in a browser.
pub(crate) const MAX_VERSION: u64 = (1 << 53) - 1;

/// The form in which a client writes its versions, and expects those of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Form {
    /// Its own version, and the one of the server that it has seen.
    #[default]
    #[serde(rename = "t")]
    Transforming,
    /// The same after a test of its own previous version.
    #[serde(rename = "p")]
    Pure,
    /// Its own version alone.
    #[serde(rename = "o")]
    Ordered,
}

/// A message with operations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Patch {
    /// The version of the client that it makes; 0 in a document without versions.
    #[serde(rename = "c")]
    pub(crate) version: u64,
    /// The version of the server that the client had seen, if it says so.
    #[serde(rename = "s")]
    pub(crate) seen: Option<u64>,
    #[serde(rename = "f")]
    pub(crate) form: Form,
    #[serde(rename = "o")]
    pub(crate) operations: Vec<PatchOperation>,
}

/// Parses a message; `None` is a heartbeat.
pub(crate) fn parse(message: &[u8], versioned: bool, bounds: &Bounds) -> Result<Option<Patch>, DocumentError> {
    if message.len() > bounds.message_bytes {
        return Err(DocumentError::MessageTooLarge);
    }
    let operations: Vec<PatchOperation> = serde_json::from_slice(message).map_err(|_| DocumentError::Malformed)?;
    if operations.is_empty() {
        return Ok(None);
    }
    split(operations, versioned, bounds).map(Some)
}

/// Parses what a client sends when it reconnects: an array of messages.
pub(crate) fn parse_all(message: &[u8], bounds: &Bounds) -> Result<Vec<Patch>, DocumentError> {
    if message.len() > bounds.message_bytes {
        return Err(DocumentError::MessageTooLarge);
    }
    let patches: Vec<Vec<PatchOperation>> = serde_json::from_slice(message).map_err(|_| DocumentError::Malformed)?;
    let patches = patches.into_iter().filter(|patch| !patch.is_empty());
    patches.map(|patch| split(patch, true, bounds)).collect()
}

fn split(mut operations: Vec<PatchOperation>, versioned: bool, bounds: &Bounds) -> Result<Patch, DocumentError> {
    let mut patch = Patch {
        version: 0,
        seen: None,
        form: Form::Ordered,
        operations: Vec::new(),
    };
    if versioned {
        let taken = versions(&operations, &mut patch)?;
        operations.drain(..taken);
    }
    if operations.len() > bounds.operations {
        return Err(DocumentError::MessageTooLarge);
    }
    let values = operations.iter().filter_map(value);
    if values.into_iter().any(|value| depth(value) > MAX_DEPTH) {
        return Err(DocumentError::TooLarge);
    }
    patch.operations = operations;
    Ok(patch)
}

/// Reads the versions, and returns how many operations they take.
fn versions(operations: &[PatchOperation], patch: &mut Patch) -> Result<usize, DocumentError> {
    let tested = test_of(operations.first(), CLIENT_VERSION);
    let at = usize::from(tested.is_some());
    let Some(PatchOperation::Replace(own)) = operations.get(at) else {
        return Err(DocumentError::Unversioned);
    };
    if !is_member(own.path.as_str(), CLIENT_VERSION) {
        return Err(DocumentError::Unversioned);
    }
    patch.version = version(&own.value)?;
    if let Some(tested) = tested {
        patch.form = Form::Pure;
        if version(tested)? + 1 != patch.version {
            return Err(DocumentError::VersionOutOfRange);
        }
    }
    let Some(seen) = test_of(operations.get(at + 1), SERVER_VERSION) else {
        return Ok(at + 1);
    };
    patch.seen = Some(version(seen)?);
    if patch.form == Form::Ordered {
        patch.form = Form::Transforming;
    }
    Ok(at + 2)
}

fn test_of<'a>(operation: Option<&'a PatchOperation>, member: &str) -> Option<&'a Value> {
    match operation {
        Some(PatchOperation::Test(test)) if is_member(test.path.as_str(), member) => Some(&test.value),
        _ => None,
    }
}

fn is_member(path: &str, member: &str) -> bool {
    path.strip_prefix('/') == Some(member)
}

fn version(value: &Value) -> Result<u64, DocumentError> {
    let version = value.as_u64().filter(|version| *version <= MAX_VERSION);
    version.ok_or(DocumentError::VersionOutOfRange)
}

fn value(operation: &PatchOperation) -> Option<&Value> {
    match operation {
        PatchOperation::Add(add) => Some(&add.value),
        PatchOperation::Replace(replace) => Some(&replace.value),
        PatchOperation::Test(test) => Some(&test.value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Patch>, DocumentError> {
        parse(text.as_bytes(), true, &Bounds::default())
    }

    #[test]
    fn all_forms_of_versions_are_read() {
        let change = r#"{"op":"replace","path":"/n$","value":1}"#;
        let of = |head: &str| {
            let patch = read(&format!("[{head},{change}]")).unwrap().unwrap();
            assert_eq!(patch.operations.len(), 1);
            (patch.version, patch.seen, patch.form)
        };
        let own = r#"{"op":"replace","path":"/_ver#c$","value":7}"#;
        let seen = r#"{"op":"test","path":"/_ver#s","value":3}"#;
        let tested = r#"{"op":"test","path":"/_ver#c$","value":6}"#;
        assert_eq!(of(own), (7, None, Form::Ordered));
        assert_eq!(of(&format!("{own},{seen}")), (7, Some(3), Form::Transforming));
        assert_eq!(of(&format!("{tested},{own},{seen}")), (7, Some(3), Form::Pure));
        assert_eq!(read("[]"), Ok(None));
    }

    #[test]
    fn what_is_no_message_has_a_named_error() {
        use DocumentError::{Malformed, Unversioned, VersionOutOfRange};
        for (text, error) in [
            ("", Malformed),
            ("{}", Malformed),
            ("null", Malformed),
            (r#"[{"op":"replace","path":"/_ver#c$"}]"#, Malformed),
            (r#"[{"op":"replace","path":"n","value":1}]"#, Malformed),
            (r#"[{"op":"no","path":"/n","value":1}]"#, Malformed),
            (r#"[{"op":"replace","path":"/n$","value":1}]"#, Unversioned),
            (r#"[{"op":"test","path":"/_ver#s","value":1}]"#, Unversioned),
            (r#"[{"op":"replace","path":"/_ver#c$","value":-1}]"#, VersionOutOfRange),
            (r#"[{"op":"replace","path":"/_ver#c$","value":1.5}]"#, VersionOutOfRange),
            (r#"[{"op":"replace","path":"/_ver#c$","value":"1"}]"#, VersionOutOfRange),
            (
                r#"[{"op":"replace","path":"/_ver#c$","value":9007199254740992}]"#,
                VersionOutOfRange,
            ),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
        let deep = format!("[{}{}]", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(read(&deep), Err(Malformed));
    }
}
