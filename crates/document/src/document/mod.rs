//! [`Document`]: the JSON document of one session, with all that is needed to keep a client's copy equal to it.

mod edit;
mod log;
mod outgoing;
mod queue;
mod receive;
#[cfg(test)]
mod tests;
mod write;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::log::Log;
use self::outgoing::Unsent;
use self::queue::Queue;
pub(crate) use self::receive::{Admitted, Rules};
use crate::bounds::Bounds;
use crate::error::DocumentError;
use crate::message::{CLIENT_VERSION, Form, MAX_VERSION, SERVER_VERSION};
use crate::operation::Room;
use crate::path::Path;

/// The JSON document of one session, the versions of both sides, and what a client has not confirmed yet.
///
/// It does no input or output, and is one value for serde. Changes are recorded as they are made and sent with the next
/// [answer](Self::receive) or [push](Self::push). Its [`Bounds`] are not stored: the reader of a document sets them.
///
/// ```
/// use serde_json::json;
/// use sessile_document::{Document, DollarPolicy, Options};
///
/// let mut document = Document::new(json!({"Name$": "Ada", "Items": []}), Options::DEFAULT.patch_versioning())?;
/// document.insert("/Items/0", json!("first"))?;
/// let push = document.push()?.expect("something has changed");
/// assert!(push.ends_with(r#"{"op":"add","path":"/Items/0","value":"first"}]"#));
///
/// let message = br#"[
///     {"op": "replace", "path": "/_ver#c$", "value": 1},
///     {"op": "test", "path": "/_ver#s", "value": 1},
///     {"op": "replace", "path": "/Name$", "value": "Grace"}
/// ]"#;
/// document.receive(message, &DollarPolicy, false)?;
/// assert_eq!(document.get("/Name$")?, Some(&json!("Grace")));
/// assert_eq!((document.client_version(), document.server_version()), (1, 2));
/// # Ok::<(), sessile_document::DocumentError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    #[serde(rename = "d")]
    root: Value,
    #[serde(rename = "v")]
    versioned: bool,
    /// The last version of the client that was applied.
    #[serde(rename = "c")]
    client: u64,
    /// The last version of the server that was sent.
    #[serde(rename = "s")]
    server: u64,
    #[serde(rename = "f")]
    form: Form,
    #[serde(rename = "l")]
    log: Log,
    #[serde(rename = "q")]
    queue: Queue,
    #[serde(rename = "u")]
    unsent: Unsent,
    #[serde(skip)]
    bounds: Bounds,
}

impl Document {
    /// Makes a document. Only the versioning among the options matters here.
    ///
    /// # Errors
    ///
    /// [`NotAnObject`](DocumentError::NotAnObject) if it is to have versions and is not an object;
    /// [`Reserved`](DocumentError::Reserved) if it has members with the names of the versions;
    /// [`TooLarge`](DocumentError::TooLarge).
    pub fn new(root: Value, options: crate::Options) -> Result<Self, DocumentError> {
        let mut document = Self {
            root: Value::Null,
            versioned: options.has_patch_versioning(),
            client: 0,
            server: 0,
            form: Form::default(),
            log: Log::default(),
            queue: Queue::default(),
            unsent: Unsent::default(),
            bounds: Bounds::default(),
        };
        document.check_root(&root)?;
        Room::of(&Value::Null, document.bounds.document_bytes).take(&root, &Path::default())?;
        document.root = root;
        Ok(document)
    }

    /// Sets what the document may take, from the next call on.
    #[must_use]
    pub fn with_bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// Returns the document, without its versions.
    #[must_use]
    pub fn root(&self) -> &Value {
        &self.root
    }

    /// Returns the value at a JSON pointer; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`BadPointer`](DocumentError::BadPointer).
    pub fn get(&self, pointer: &str) -> Result<Option<&Value>, DocumentError> {
        Ok(Path::parse(pointer)?.find(&self.root))
    }

    /// Returns the last version of the client that was applied; 0 without versions.
    #[must_use]
    pub fn client_version(&self) -> u64 {
        self.client
    }

    /// Returns the last version that was sent; 0 without versions.
    #[must_use]
    pub fn server_version(&self) -> u64 {
        self.server
    }

    /// Returns whether messages carry versions.
    #[must_use]
    pub fn has_versions(&self) -> bool {
        self.versioned
    }

    /// Returns whether there are changes to send.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Returns the number of messages that wait for an earlier one.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Returns the whole state as JSON, with both versions, for a client that starts or starts again. All changes count
    /// as sent; messages that waited are forgotten, as they are of an earlier client.
    ///
    /// # Errors
    ///
    /// [`VersionOutOfRange`](DocumentError::VersionOutOfRange) after 2^53 - 1 messages.
    pub fn establish(&mut self) -> Result<String, DocumentError> {
        if self.has_unsent() && self.versioned {
            self.next_version()?;
            let steps = std::mem::take(&mut self.unsent).into_steps();
            self.log.extend(self.server, steps, self.bounds.log_steps);
        }
        self.unsent = Unsent::default();
        self.queue = Queue::default();
        Ok(self.state().to_string())
    }

    /// The document with its versions.
    fn state(&self) -> Value {
        let mut state = self.root.clone();
        if let (true, Some(members)) = (self.versioned, state.as_object_mut()) {
            members.insert(CLIENT_VERSION.to_owned(), self.client.into());
            members.insert(SERVER_VERSION.to_owned(), self.server.into());
        }
        state
    }

    fn next_version(&mut self) -> Result<(), DocumentError> {
        if self.server >= MAX_VERSION {
            return Err(DocumentError::VersionOutOfRange);
        }
        self.server += 1;
        Ok(())
    }

    fn check_root(&self, root: &Value) -> Result<(), DocumentError> {
        if !self.versioned {
            return Ok(());
        }
        let members = root.as_object().ok_or(DocumentError::NotAnObject)?;
        if members.contains_key(CLIENT_VERSION) || members.contains_key(SERVER_VERSION) {
            return Err(DocumentError::Reserved);
        }
        Ok(())
    }

    fn check_reserved(&self, path: &Path) -> Result<(), DocumentError> {
        let first = path.tokens().first();
        let reserved = first.is_some_and(|token| token == CLIENT_VERSION || token == SERVER_VERSION);
        if self.versioned && reserved {
            return Err(DocumentError::Reserved);
        }
        Ok(())
    }
}
