//! Changes that were not sent, and the messages that send them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Document;
use crate::bounds::Bounds;
use crate::depth::bytes;
use crate::error::DocumentError;
use crate::message::{CLIENT_VERSION, Form, SERVER_VERSION};
use crate::path::Path;
use crate::step::{Kind, Step};

/// A change and the value that it wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Recorded {
    #[serde(flatten)]
    pub(super) step: Step,
    #[serde(rename = "v")]
    value: Option<Value>,
    #[serde(rename = "b")]
    bytes: usize,
}

/// The changes that were not sent, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Unsent {
    #[serde(rename = "o")]
    Operations(Vec<Recorded>),
    /// The whole state is to be sent.
    #[serde(rename = "r")]
    Root,
}

impl Default for Unsent {
    fn default() -> Self {
        Self::Operations(Vec::new())
    }
}

impl Unsent {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Operations(operations) if operations.is_empty())
    }

    /// Records a change that was made.
    pub(super) fn record(&mut self, step: Step, value: Option<&Value>, bounds: &Bounds) {
        let Self::Operations(operations) = self else { return };
        if step.path.is_root() {
            *self = Self::Root;
            return;
        }
        let size = value.map_or(0, bytes) + step.path.len();
        let all: usize = operations.iter().map(|operation| operation.bytes).sum();
        if operations.len() >= bounds.unsent_operations || all + size > bounds.unsent_bytes {
            *self = Self::Root;
            return;
        }
        operations.push(Recorded {
            step,
            value: value.cloned(),
            bytes: size,
        });
    }

    /// The changes in their order.
    pub(super) fn into_steps(self) -> Vec<Step> {
        match self {
            Self::Operations(operations) => operations.into_iter().map(|operation| operation.step).collect(),
            Self::Root => vec![Step::new(Kind::Replace, Path::default())],
        }
    }
}

impl Recorded {
    fn to_json(&self) -> Value {
        let path = self.step.path.to_string();
        match self.step.kind {
            Kind::Add | Kind::Insert => json!({"op": "add", "path": path, "value": self.value}),
            Kind::Replace => json!({"op": "replace", "path": path, "value": self.value}),
            Kind::Cut | Kind::Drop => json!({"op": "remove", "path": path}),
        }
    }
}

impl Document {
    /// Returns the message that sends the changes, or `None` if there are none.
    ///
    /// Each message has its own version, and the client waits for one that is missing. So it must be sent, or the
    /// client be given the whole state again.
    ///
    /// # Errors
    ///
    /// [`VersionOutOfRange`](DocumentError::VersionOutOfRange) after 2^53 - 1 messages.
    pub fn push(&mut self) -> Result<Option<String>, DocumentError> {
        if !self.has_unsent() {
            return Ok(None);
        }
        self.message().map(Some)
    }

    /// The next message, with all changes and the acknowledgement.
    pub(super) fn message(&mut self) -> Result<String, DocumentError> {
        let mut message = Vec::new();
        if self.versioned {
            self.next_version()?;
            message = self.versions();
        }
        let unsent = std::mem::take(&mut self.unsent);
        match &unsent {
            Unsent::Operations(operations) => message.extend(operations.iter().map(Recorded::to_json)),
            Unsent::Root => message.push(json!({"op": "replace", "path": "", "value": self.state()})),
        }
        if self.versioned {
            self.log.extend(self.server, unsent.into_steps(), self.bounds.log_steps);
        }
        Ok(Value::Array(message).to_string())
    }

    fn versions(&self) -> Vec<Value> {
        let (own, other) = (format!("/{SERVER_VERSION}"), format!("/{CLIENT_VERSION}"));
        let next = json!({"op": "replace", "path": own, "value": self.server});
        let acknowledged = json!({"op": "test", "path": other, "value": self.client});
        match self.form {
            Form::Transforming => vec![next, acknowledged],
            Form::Pure => {
                let previous = json!({"op": "test", "path": own, "value": self.server - 1});
                vec![previous, next, acknowledged]
            }
            Form::Ordered => vec![next],
        }
    }
}
