//! A client of the protocol, as its public implementation behaves: queue, acknowledgements, transformation.

use std::collections::BTreeMap;

use json_patch::{Patch, patch};
use serde_json::{Value, json};

/// A client that replaces values.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) document: Value,
    pub(crate) own: u64,
    pub(crate) seen: u64,
    acknowledged: u64,
    pending: Vec<(String, Value)>,
    waiting: BTreeMap<u64, (u64, Vec<Value>)>,
}

impl Client {
    pub(crate) fn new(state: &str) -> Self {
        let mut client = Self {
            document: Value::Null,
            own: 0,
            seen: 0,
            acknowledged: 0,
            pending: Vec::new(),
            waiting: BTreeMap::new(),
        };
        client.reset(state);
        client.own = client.acknowledged;
        client
    }

    /// Takes the whole state. Its own version goes on.
    pub(crate) fn reset(&mut self, state: &str) {
        self.document = serde_json::from_str(state).expect("a message fits");
        let versions = take_versions(&mut self.document);
        (self.acknowledged, self.seen) = versions.expect("a state has versions");
        self.pending.clear();
        self.waiting.clear();
    }

    /// Replaces a value, and returns the message about it.
    pub(crate) fn replace(&mut self, path: &str, value: Value) -> String {
        let operation = json!({"op": "replace", "path": path, "value": value});
        self.apply(std::slice::from_ref(&operation));
        self.own += 1;
        let message = json!([
            {"op": "replace", "path": "/_ver#c$", "value": self.own},
            {"op": "test", "path": "/_ver#s", "value": self.seen},
            operation,
        ]);
        self.pending.push((path.to_owned(), message.clone()));
        message.to_string()
    }

    /// The messages that were not acknowledged, in the form of a reconnect.
    pub(crate) fn pending(&self) -> String {
        let messages = self.pending.iter().map(|(_, message)| message.clone());
        Value::Array(messages.collect()).to_string()
    }

    pub(crate) fn receive(&mut self, message: &str) {
        let mut operations: Vec<Value> = serde_json::from_str(message).expect("a message fits");
        if operations.is_empty() {
            return;
        }
        let changes = operations.split_off(2);
        assert_eq!(operations[0]["path"], "/_ver#s");
        assert_eq!(operations[1]["path"], "/_ver#c$");
        let version = operations[0]["value"].as_u64().expect("a message fits");
        let acknowledged = operations[1]["value"].as_u64().expect("a message fits");
        assert!(version > self.seen, "version {version} was sent before");
        let before = self.waiting.insert(version, (acknowledged, changes));
        assert_eq!(before, None, "version {version} was sent twice");
        while let Some((acknowledged, changes)) = self.waiting.remove(&(self.seen + 1)) {
            self.seen += 1;
            let done = usize::try_from(acknowledged - self.acknowledged).expect("a message fits");
            self.pending.drain(..done);
            self.acknowledged = acknowledged;
            let changes: Vec<_> = changes.into_iter().filter(|change| self.survives(change)).collect();
            self.apply(&changes);
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Leaves out changes of the server below a value that was replaced here.
    fn survives(&self, change: &Value) -> bool {
        let path = change["path"].as_str().expect("a message fits");
        let below = |(replaced, _): &(String, Value)| {
            path.strip_prefix(replaced.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        };
        !self.pending.iter().any(below)
    }

    fn apply(&mut self, changes: &[Value]) {
        let changes: Patch = serde_json::from_value(Value::Array(changes.to_vec())).expect("a message fits");
        let applied = patch(&mut self.document, &changes);
        applied.unwrap_or_else(|error| panic!("{error}: {changes} does not fit {}", self.document));
        take_versions(&mut self.document);
    }
}

fn take_versions(document: &mut Value) -> Option<(u64, u64)> {
    let members = document.as_object_mut().expect("a message fits");
    let own = members.remove("_ver#c$")?.as_u64()?;
    Some((own, members.remove("_ver#s")?.as_u64()?))
}
