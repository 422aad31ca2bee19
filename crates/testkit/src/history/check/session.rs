//! [`Session`]: the part of a history that is about one session, under whatever keys it went.

use std::collections::{BTreeMap, HashMap};

use sessile_core::SessionKey;

use crate::history::{Call, History, Mark, Operation};

/// The operations of one session.
#[derive(Debug, Default)]
pub(super) struct Session<'a> {
    /// In the order in which they were invoked.
    pub(super) operations: Vec<&'a Operation>,
    /// Those that write, by the name of the write.
    pub(super) writes: HashMap<u64, &'a Operation>,
    /// Pairs of operations that gave two writes one name, which is a mistake of the test.
    pub(super) ambiguous: Vec<[&'a Operation; 2]>,
}

/// Which keys are of one session: a forest in which each tree is a session.
#[derive(Default)]
struct Kin(BTreeMap<SessionKey, SessionKey>);

impl Kin {
    fn root(&mut self, key: SessionKey) -> SessionKey {
        let mut root = key;
        while let Some(parent) = self.0.get(&root).copied().filter(|parent| *parent != root) {
            root = parent;
        }
        // The path is shortened, so that the next who asks comes there in one step.
        self.0.insert(key, root);
        root
    }

    fn join(&mut self, one: SessionKey, other: SessionKey) {
        let (one, other) = (self.root(one), self.root(other));
        self.0.insert(one, other);
    }
}

impl<'a> Session<'a> {
    pub(super) fn all(history: &'a History) -> Vec<Self> {
        let mut kin = Kin::default();
        for operation in &history.operations {
            let key = *operation.call.key();
            if let Call::Rotate { to, .. } = operation.call {
                kin.join(key, to);
            }
            if let Some(seen) = operation.seen() {
                kin.join(key, seen.key);
            }
        }
        let mut sessions: BTreeMap<SessionKey, Self> = BTreeMap::new();
        for operation in &history.operations {
            let root = kin.root(*operation.call.key());
            sessions.entry(root).or_default().add(operation);
        }
        let mut sessions: Vec<_> = sessions.into_values().collect();
        for session in &mut sessions {
            session.operations.sort_by_key(|operation| operation.invoked);
        }
        sessions
    }

    /// That of operations which are known to be of one session, in the order in which they were invoked.
    pub(super) fn of(operations: &'a [Operation]) -> Self {
        let mut session = Self::default();
        operations.iter().for_each(|operation| session.add(operation));
        session
    }

    fn add(&mut self, operation: &'a Operation) {
        self.operations.push(operation);
        if let Some(mark) = operation.mark()
            && let Some(other) = self.writes.insert(mark.id, operation)
        {
            self.ambiguous.push([other, operation]);
        }
    }

    /// The operations that were answered, in the order of their answers.
    pub(super) fn by_answer(&self) -> Vec<&'a Operation> {
        let mut answered: Vec<_> = self
            .operations
            .iter()
            .copied()
            .filter(|op| op.returned().is_some())
            .collect();
        answered.sort_by_key(|operation| operation.returned());
        answered
    }
}

impl Operation {
    /// The mark that the operation was to write.
    pub(super) fn mark(&self) -> Option<Mark> {
        self.call.write().and_then(|write| write.mark)
    }

    /// The mark that the operation proves to be stored at some moment between call and answer.
    pub(super) fn evidence(&self) -> Option<Mark> {
        let written = self.mark().filter(|_| self.is_acknowledged());
        written.or_else(|| self.seen().and_then(|seen| seen.mark))
    }
}
