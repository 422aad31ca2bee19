//! [`Session`]: the part of a history that belongs to one session, under all of its keys.

use std::collections::{BTreeMap, HashMap};

use sessile_core::SessionKey;

use crate::history::{Call, History, Mark, RecordedCall};

/// The calls of one session.
#[derive(Debug, Default)]
pub(super) struct Session<'a> {
    /// The calls, in the order of invocation.
    pub(super) calls: Vec<&'a RecordedCall>,
    /// The calls that write, by the id of the write.
    pub(super) writes: HashMap<u64, &'a RecordedCall>,
    /// Pairs of calls that gave two writes one id, which is a fault of the test.
    pub(super) ambiguous: Vec<[&'a RecordedCall; 2]>,
}

/// The keys of each session: a union-find forest in which each tree is a session.
#[derive(Default)]
struct KeyGroups(BTreeMap<SessionKey, SessionKey>);

impl KeyGroups {
    fn root(&mut self, key: SessionKey) -> SessionKey {
        let mut root = key;
        while let Some(parent) = self.0.get(&root).copied().filter(|parent| *parent != root) {
            root = parent;
        }
        // Path compression: the next lookup takes one step.
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
        let mut groups = KeyGroups::default();
        for recorded in &history.calls {
            let key = *recorded.call.key();
            if let Call::Rotate { to, .. } = recorded.call {
                groups.join(key, to);
            }
            if let Some(seen) = recorded.seen() {
                groups.join(key, seen.key);
            }
        }
        let mut sessions: BTreeMap<SessionKey, Self> = BTreeMap::new();
        for recorded in &history.calls {
            let root = groups.root(*recorded.call.key());
            sessions.entry(root).or_default().add(recorded);
        }
        let mut sessions: Vec<_> = sessions.into_values().collect();
        for session in &mut sessions {
            session.calls.sort_by_key(|recorded| recorded.invoked);
        }
        sessions
    }

    /// Creates a session from calls that are known to belong to it and are in the order of invocation.
    pub(super) fn of(calls: &'a [RecordedCall]) -> Self {
        let mut session = Self::default();
        calls.iter().for_each(|recorded| session.add(recorded));
        session
    }

    fn add(&mut self, recorded: &'a RecordedCall) {
        self.calls.push(recorded);
        if let Some(mark) = recorded.mark()
            && let Some(other) = self.writes.insert(mark.id, recorded)
        {
            self.ambiguous.push([other, recorded]);
        }
    }

    /// Returns the completed calls, in the order of completion.
    pub(super) fn by_completion(&self) -> Vec<&'a RecordedCall> {
        let mut completed: Vec<_> = self
            .calls
            .iter()
            .copied()
            .filter(|op| op.returned().is_some())
            .collect();
        completed.sort_by_key(|recorded| recorded.returned());
        completed
    }
}

impl RecordedCall {
    /// Returns the mark that the call writes.
    pub(super) fn mark(&self) -> Option<Mark> {
        self.call.write().and_then(|write| write.mark)
    }

    /// Returns the mark that the call proves to be stored at some time between invocation and completion.
    pub(super) fn evidence(&self) -> Option<Mark> {
        let written = self.mark().filter(|_| self.is_acknowledged());
        written.or_else(|| self.seen().and_then(|seen| seen.mark))
    }
}
