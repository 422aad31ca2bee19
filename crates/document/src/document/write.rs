//! One write of a client, transformed over the changes of the server that it does not know.
//!
//! The client has applied the write to its copy already, and treats changes of the server that arrive later by rules of
//! its own, which do not always lead where the server has got to. Where they do not, the value of the server is recorded
//! once more, for the next message. Decision record 68 has the cases.

use json_patch::PatchOperation;
use json_patch::jsonptr::PointerBuf;
use serde_json::Value;

use super::outgoing::Unsent;
use super::{Document, Rules};
use crate::change::Change;
use crate::error::DocumentError;
use crate::message::{CLIENT_VERSION, SERVER_VERSION};
use crate::operation::{self, Room};
use crate::path::Path;
use crate::policy::{Verdict, WriteKind, write};
use crate::step::{Effect, Kind, Role, Step};

/// A path of a client, as the document has it now.
struct Walked {
    path: Path,
    touched: bool,
    stale: bool,
}

impl Document {
    /// Applies one operation. The steps in `sent` are those that the client has not seen.
    pub(super) fn write(
        &mut self,
        operation: PatchOperation,
        sent: &[Step],
        rules: Rules<'_>,
        room: &mut Room,
        changes: &mut Vec<Change>,
    ) -> Result<(), DocumentError> {
        let raw = Path::parse(operation.path().as_str())?;
        self.check_reserved(&raw)?;
        let role = match operation {
            PatchOperation::Add(_) | PatchOperation::Copy(_) | PatchOperation::Move(_) => Role::Place,
            _ => Role::Value,
        };
        let walked = self.walk(sent, &raw, role);
        match operation {
            PatchOperation::Test(_) if walked.stale => Err(DocumentError::TestFailed { path: raw.to_string() }),
            PatchOperation::Test(_) => {
                let operation = at(operation, &walked.path);
                operation::apply(&mut self.root, &operation, room)
            }
            PatchOperation::Replace(_) => self.assign(operation, sent, rules, room, changes),
            PatchOperation::Add(_) if !self.is_element(&walked.path) => {
                self.assign(operation, sent, rules, room, changes)
            }
            _ => self.restructure(operation, sent, rules, room, changes),
        }
    }

    /// Writes a value that replaces one, or a member.
    fn assign(
        &mut self,
        operation: PatchOperation,
        sent: &[Step],
        rules: Rules<'_>,
        room: &mut Room,
        changes: &mut Vec<Change>,
    ) -> Result<(), DocumentError> {
        let raw = Path::parse(operation.path().as_str())?;
        let replaces = matches!(operation, PatchOperation::Replace(_));
        let (role, kind) = if replaces {
            (Role::Value, WriteKind::Replace)
        } else {
            (Role::Place, WriteKind::Add)
        };
        let lost = if replaces { self.lost(sent, &raw) } else { Vec::new() };
        let walked = self.rebase(sent, &raw, role);
        if walked.stale {
            if rules.strict {
                return Err(DocumentError::Stale { path: raw.to_string() });
            }
            lost.iter().for_each(|path| self.echo(path));
            return Ok(());
        }
        let mut operation = at(operation, &walked.path);
        let path = walked.path;
        let text = path.to_string();
        let current = path.find(&self.root).cloned();
        if replaces && current.is_none() {
            return Err(DocumentError::NoSuchPath { path: text });
        }
        let value = self.value_of(&mut operation, &path)?;
        let verdict = rules.policy.judge(&write(kind, &text, current.as_ref(), Some(&value)));
        if verdict == Verdict::Allow {
            operation::apply(&mut self.root, &operation, room)?;
            changes.push(Change {
                path: text,
                from: current,
                to: Some(value),
            });
        } else if rules.strict {
            return Err(denied(verdict, text));
        }
        match (verdict, path.find(&self.root)) {
            (Verdict::Allow, _) if !walked.touched => {}
            (_, Some(_)) => self.echo(&path),
            (_, None) => self.unsent = Unsent::Root,
        }
        lost.iter().for_each(|path| self.echo(path));
        Ok(())
    }

    /// Applies an operation that moves elements of arrays, or removes a member.
    fn restructure(
        &mut self,
        operation: PatchOperation,
        sent: &[Step],
        rules: Rules<'_>,
        room: &mut Room,
        changes: &mut Vec<Change>,
    ) -> Result<(), DocumentError> {
        let raw = Path::parse(operation.path().as_str())?;
        let role = if matches!(operation, PatchOperation::Remove(_)) {
            Role::Value
        } else {
            Role::Place
        };
        let walked = self.walk(sent, &raw, role);
        let from = match &operation {
            PatchOperation::Move(moved) => Some(Path::parse(moved.from.as_str())?),
            PatchOperation::Copy(copy) => Some(Path::parse(copy.from.as_str())?),
            _ => None,
        };
        let from = from.map(|from| self.walk(sent, &from, Role::Value));
        let meets = if from.is_some() {
            !sent.is_empty() || self.has_unsent()
        } else {
            self.meets(sent, &raw.parent())
        };
        let stale = walked.stale || from.as_ref().is_some_and(|from| from.stale);
        if stale {
            if rules.strict {
                return Err(DocumentError::Stale { path: raw.to_string() });
            }
            if meets {
                self.unsent = Unsent::Root;
            }
            return Ok(());
        }
        let path = walked.path;
        let from = from.map(|from| from.path);
        let made = self.judge_structure(&operation, &path, from.as_ref(), rules);
        let made = match made {
            Err(error @ (DocumentError::ReadOnly { .. } | DocumentError::WrongType { .. })) if !rules.strict => {
                drop(error);
                self.unsent = Unsent::Root;
                return Ok(());
            }
            made => made?,
        };
        let mut operation = at(operation, &path);
        if let Some(from) = &from {
            set_from(&mut operation, from);
        }
        operation::apply(&mut self.root, &operation, room)?;
        if self.versioned && !self.root.is_object() {
            return Err(DocumentError::NotAnObject);
        }
        changes.extend(made);
        if meets {
            self.unsent = Unsent::Root;
        }
        Ok(())
    }

    /// The changes that an operation would make, if the policy allows them.
    fn judge_structure(
        &self,
        operation: &PatchOperation,
        path: &Path,
        from: Option<&Path>,
        rules: Rules<'_>,
    ) -> Result<Vec<Change>, DocumentError> {
        let find = |path: &Path| path.find(&self.root).cloned();
        let source = from.map(|from| (from.to_string(), find(from)));
        let mut writes = Vec::new();
        match (operation, source) {
            (PatchOperation::Remove(_), _) => writes.push((WriteKind::Remove, path.to_string(), find(path), None)),
            (PatchOperation::Add(add), _) => {
                writes.push((WriteKind::Add, path.to_string(), None, Some(add.value.clone())));
            }
            (_, Some((from, value))) => {
                if matches!(operation, PatchOperation::Move(_)) {
                    writes.push((WriteKind::Remove, from, value.clone(), None));
                }
                let current = if self.is_element(path) { None } else { find(path) };
                writes.push((WriteKind::Add, path.to_string(), current, value));
            }
            _ => {}
        }
        for (kind, path, current, value) in &writes {
            let verdict = rules
                .policy
                .judge(&write(*kind, path, current.as_ref(), value.as_ref()));
            if verdict != Verdict::Allow {
                return Err(denied(verdict, path.clone()));
            }
        }
        let change = |(_, path, from, to)| Change { path, from, to };
        Ok(writes.into_iter().map(change).collect())
    }

    /// Follows a path over what the client has not seen.
    fn walk(&self, sent: &[Step], raw: &Path, role: Role) -> Walked {
        let mut walked = Walked {
            path: raw.clone(),
            touched: false,
            stale: false,
        };
        let unsent = self.unsent.clone().into_steps();
        for step in sent.iter().chain(&unsent) {
            match step.follow(&mut walked.path, role) {
                Effect::Apart => {}
                Effect::Touched => walked.touched = true,
                Effect::Stale => {
                    walked.stale = true;
                    break;
                }
            }
        }
        walked
    }

    /// The same; and takes out of the changes that were not sent those below the path: the client receives them after
    /// its own write, which they would no longer fit.
    fn rebase(&mut self, sent: &[Step], raw: &Path, role: Role) -> Walked {
        let walked = self.walk(sent, raw, role);
        let Unsent::Operations(operations) = &mut self.unsent else {
            return walked;
        };
        let mut path = raw.clone();
        let mut stale = sent.iter().any(|step| step.follow(&mut path, role) == Effect::Stale);
        operations.retain(|operation| {
            let below = !stale && operation.step.path.is_below(&path);
            stale = stale || operation.step.follow(&mut path, role) == Effect::Stale;
            !below
        });
        walked
    }

    /// The values that changed by steps which the client leaves out because it has replaced the value at `raw`. It
    /// compares their paths as they were sent, though they may mean something else.
    fn lost(&self, sent: &[Step], raw: &Path) -> Vec<Path> {
        let unsent = self.unsent.clone().into_steps();
        let mut lost: Vec<Path> = Vec::new();
        for (at, step) in sent.iter().enumerate() {
            if !step.path.is_below(raw) {
                continue;
            }
            let mut path = step.whole();
            let mut later = sent[at + 1..].iter().chain(&unsent);
            let stale = later.any(|step| step.follow(&mut path, Role::Value) == Effect::Stale);
            if !stale && !lost.contains(&path) {
                lost.push(path);
            }
        }
        lost
    }

    /// Returns whether the client does not know all changes in an array or object.
    fn meets(&self, sent: &[Step], container: &Path) -> bool {
        let mut path = container.clone();
        let unsent = self.unsent.clone().into_steps();
        sent.iter().chain(&unsent).any(|step| {
            let below = step.path.is_below(container);
            step.follow(&mut path, Role::Value) == Effect::Touched || below
        })
    }

    /// Records the value at a path once more.
    fn echo(&mut self, path: &Path) {
        if let Some(value) = path.find(&self.root) {
            let step = Step::new(Kind::Replace, path.clone());
            self.unsent.record(step, Some(value), &self.bounds);
        }
    }

    fn is_element(&self, path: &Path) -> bool {
        !path.is_root() && path.parent().find(&self.root).is_some_and(Value::is_array)
    }

    /// The value that is written; that of the root without the versions that a client sends along.
    fn value_of(&self, operation: &mut PatchOperation, path: &Path) -> Result<Value, DocumentError> {
        let value = match operation {
            PatchOperation::Replace(replace) => &mut replace.value,
            PatchOperation::Add(add) => &mut add.value,
            _ => return Ok(Value::Null),
        };
        if path.is_root() && self.versioned {
            let members = value.as_object_mut().ok_or(DocumentError::NotAnObject)?;
            members.remove(CLIENT_VERSION);
            members.remove(SERVER_VERSION);
        }
        Ok(value.clone())
    }
}

fn denied(verdict: Verdict, path: String) -> DocumentError {
    match verdict {
        Verdict::WrongType => DocumentError::WrongType { path },
        _ => DocumentError::ReadOnly { path },
    }
}

/// The operation with another path.
fn at(mut operation: PatchOperation, path: &Path) -> PatchOperation {
    let path = pointer(path);
    match &mut operation {
        PatchOperation::Add(add) => add.path = path,
        PatchOperation::Remove(remove) => remove.path = path,
        PatchOperation::Replace(replace) => replace.path = path,
        PatchOperation::Move(moved) => moved.path = path,
        PatchOperation::Copy(copy) => copy.path = path,
        PatchOperation::Test(test) => test.path = path,
    }
    operation
}

fn set_from(operation: &mut PatchOperation, from: &Path) {
    match operation {
        PatchOperation::Move(moved) => moved.from = pointer(from),
        PatchOperation::Copy(copy) => copy.from = pointer(from),
        _ => {}
    }
}

fn pointer(path: &Path) -> PointerBuf {
    PointerBuf::from_tokens(path.tokens())
}
