//! Messages of clients: their order, and what answers them.

use super::outgoing::Unsent;
use super::{Document, Queue};
use crate::change::Change;
use crate::error::DocumentError;
use crate::message::{self, Patch};
use crate::operation::Room;
use crate::policy::WritePolicy;
use crate::reply::{Reply, ReplyKind};

/// The rules for writes of clients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) policy: &'a dyn WritePolicy,
    pub(crate) strict: bool,
}

/// A message that was read.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// It needs nothing more than this answer.
    Answered(Reply),
    /// It is the next one to be applied.
    Next(Patch),
}

impl Document {
    /// Receives a message of the client, and returns the answer. With `strict`, see
    /// [`strict_patch_rejection`](crate::Options::strict_patch_rejection).
    ///
    /// # Errors
    ///
    /// All kinds that a message can cause. The document is as before; the message is not acknowledged.
    pub fn receive(&mut self, message: &[u8], policy: &dyn WritePolicy, strict: bool) -> Result<Reply, DocumentError> {
        self.receive_with(message, policy, strict, |_, _| Ok(()))
    }

    /// The same with a function that follows each edit that was applied: it can change the document, or refuse the whole
    /// message by an error.
    ///
    /// ```
    /// use serde_json::json;
    /// use sessile_document::{Document, DollarPolicy, Options};
    ///
    /// let mut document = Document::new(json!({"n$": 1, "double": 2}), Options::DEFAULT)?;
    /// let message = br#"[{"op": "replace", "path": "/n$", "value": 4}]"#;
    /// let reply = document.receive_with(message, &DollarPolicy, false, |document, change| {
    ///     let n = change.to.as_ref().and_then(|to| to.as_u64()).unwrap_or(0);
    ///     document.set("/double", json!(n * 2))
    /// })?;
    /// assert_eq!(reply.body, r#"[{"op":"replace","path":"/double","value":8}]"#);
    /// # Ok::<(), sessile_document::DocumentError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive), and those of the function.
    pub fn receive_with(
        &mut self,
        message: &[u8],
        policy: &dyn WritePolicy,
        strict: bool,
        mut follow: impl FnMut(&mut Self, &Change) -> Result<(), DocumentError>,
    ) -> Result<Reply, DocumentError> {
        let rules = Rules { policy, strict };
        let mut run = |document: &mut Self, patch| {
            let mut next = document.clone();
            let changes = next.apply(patch, rules)?;
            changes.iter().try_for_each(|change| follow(&mut next, change))?;
            *document = next;
            Ok(())
        };
        let patch = match self.admit(message)? {
            Admitted::Answered(reply) => return Ok(reply),
            Admitted::Next(patch) => patch,
        };
        let before = self.clone();
        run(self, patch)?;
        let mut refused = None;
        while let (None, Some(patch)) = (&refused, self.next_queued()) {
            refused = run(self, patch).err();
        }
        let answer = self.answer(refused);
        if answer.is_err() {
            *self = before;
        }
        answer
    }

    /// Receives what a client sends when it connects again: an array of the messages without an acknowledgement. The
    /// answer is the whole state, as of [`establish`](Self::establish).
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive). All messages are applied, or none.
    pub fn reconnect(
        &mut self,
        message: &[u8],
        policy: &dyn WritePolicy,
        strict: bool,
    ) -> Result<String, DocumentError> {
        let rules = Rules { policy, strict };
        let mut next = self.clone();
        for patch in next.admit_all(message)? {
            next.apply(patch, rules)?;
        }
        let state = next.establish()?;
        *self = next;
        Ok(state)
    }

    /// Reads a message, and answers it or keeps it if it is not the next one.
    pub(crate) fn admit(&mut self, message: &[u8]) -> Result<Admitted, DocumentError> {
        let answered = |kind| Ok(Admitted::Answered(Reply::empty(kind)));
        let Some(patch) = message::parse(message, self.versioned, &self.bounds)? else {
            return answered(ReplyKind::Heartbeat);
        };
        if !self.versioned {
            return Ok(Admitted::Next(patch));
        }
        self.check_seen(&patch)?;
        if patch.version <= self.client {
            return answered(ReplyKind::AlreadyApplied);
        }
        if patch.version == self.client + 1 {
            return Ok(Admitted::Next(patch));
        }
        if patch.version - self.client > self.bounds.queued_distance {
            return Err(DocumentError::TooFarAhead);
        }
        self.queue.keep(patch, message.len(), &self.bounds)?;
        answered(ReplyKind::Queued)
    }

    /// Reads the messages of a client that connects again, without those that were applied.
    pub(crate) fn admit_all(&mut self, message: &[u8]) -> Result<Vec<Patch>, DocumentError> {
        if !self.versioned {
            let heartbeat = message::parse(message, false, &self.bounds)?.is_none();
            return heartbeat.then(Vec::new).ok_or(DocumentError::Malformed);
        }
        let mut patches = message::parse_all(message, &self.bounds)?;
        patches.retain(|patch| patch.version > self.client);
        patches.sort_by_key(|patch| patch.version);
        patches.dedup_by_key(|patch| patch.version);
        for (patch, version) in patches.iter().zip(self.client + 1..) {
            self.check_seen(patch)?;
            if patch.version != version {
                return Err(DocumentError::TooFarAhead);
            }
        }
        self.queue = Queue::default();
        Ok(patches)
    }

    /// Takes the message that waited for the last one applied.
    pub(crate) fn next_queued(&mut self) -> Option<Patch> {
        self.queue.take(self.client + 1)
    }

    /// Applies the next message. If it fails, the document is to be thrown away.
    pub(crate) fn apply(&mut self, patch: Patch, rules: Rules<'_>) -> Result<Vec<Change>, DocumentError> {
        // Without versions, nothing would correct a client whose edit was left out.
        let strict = rules.strict || !self.versioned;
        let rules = Rules { strict, ..rules };
        let mut changes = Vec::new();
        let sent = match patch.seen {
            Some(seen) => self.log.after(seen),
            None => Some(Vec::new()),
        };
        match sent {
            Some(sent) => {
                let mut room = Room::of(&self.root, self.bounds.document_bytes);
                for operation in patch.operations {
                    self.write(operation, &sent, rules, &mut room, &mut changes)?;
                }
            }
            None if strict => return Err(DocumentError::Stale { path: String::new() }),
            None => self.unsent = Unsent::Root,
        }
        if self.versioned {
            self.client = patch.version;
            self.form = patch.form;
            self.log.forget(patch.seen.unwrap_or(0));
        }
        Ok(changes)
    }

    /// The answer to a message that was applied.
    pub(crate) fn answer(&mut self, refused: Option<DocumentError>) -> Result<Reply, DocumentError> {
        Ok(Reply {
            kind: ReplyKind::Applied,
            body: self.message()?,
            refused,
        })
    }

    fn check_seen(&self, patch: &Patch) -> Result<(), DocumentError> {
        if patch.seen.is_some_and(|seen| seen > self.server) {
            return Err(DocumentError::VersionOutOfRange);
        }
        Ok(())
    }
}
