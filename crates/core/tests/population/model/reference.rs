//! The model: owners, and their sessions in the order of the logins.

use std::collections::BTreeMap;

/// The time for which a session lives after its beginning or its last login, in milliseconds.
pub(super) const LIFETIME: u64 = 300_000;

/// The rule at the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    Refuse,
    Oldest,
    LeastActive,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) count: usize,
    pub(super) excess: Excess,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) owner: Option<usize>,
    pub(super) ends: u64,
    pub(super) last_active: u64,
    /// The number of the login.
    order: u64,
}

/// Sessions by the number of the client that has them.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) now: u64,
    pub(super) limit: Option<Limit>,
    sessions: BTreeMap<usize, Session>,
    logins: u64,
}

/// The owner has too many sessions.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused;

impl Model {
    pub(super) fn new(now: u64, limit: Option<Limit>) -> Self {
        Self {
            now,
            limit,
            ..Self::default()
        }
    }

    pub(super) fn session(&self, client: usize) -> Option<&Session> {
        self.sessions.get(&client)
    }

    pub(super) fn pass_to(&mut self, now: u64) {
        self.now = now;
        self.sessions.retain(|_, session| session.ends > self.now);
    }

    /// Returns the clients of an owner's sessions, in the order of the logins.
    pub(super) fn of(&self, owner: usize) -> Vec<usize> {
        let owned = self.sessions.iter().filter(|(_, session)| session.owner == Some(owner));
        let mut clients: Vec<_> = owned.map(|(client, session)| (session.order, *client)).collect();
        clients.sort_unstable();
        clients.into_iter().map(|(_, client)| client).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.sessions.len()
    }

    /// Makes sure that the client has a session, and notes that it is written.
    pub(super) fn write(&mut self, client: usize) -> &mut Session {
        let now = self.now;
        let session = self.sessions.entry(client).or_insert(Session {
            owner: None,
            ends: now + LIFETIME,
            last_active: now,
            order: 0,
        });
        session.last_active = now;
        session
    }

    pub(super) fn log_in(&mut self, client: usize, owner: usize) -> Result<(), Refused> {
        let is_own = self
            .sessions
            .get(&client)
            .is_some_and(|session| session.owner == Some(owner));
        if !is_own {
            self.make_room(owner)?;
        }
        self.logins += 1;
        let (ends, order) = (self.now + LIFETIME, self.logins);
        let session = self.write(client);
        session.ends = ends;
        session.owner = Some(owner);
        session.order = order;
        Ok(())
    }

    fn make_room(&mut self, owner: usize) -> Result<(), Refused> {
        let Some(limit) = self.limit else { return Ok(()) };
        let mut clients = self.of(owner);
        while clients.len() >= limit.count {
            let victim = match limit.excess {
                Excess::Refuse => return Err(Refused),
                Excess::Oldest => clients.remove(0),
                Excess::LeastActive => {
                    let least = clients.iter().map(|client| self.sessions[client].last_active).min();
                    let index = clients
                        .iter()
                        .position(|client| Some(self.sessions[client].last_active) == least);
                    clients.remove(index.expect("one of them is the least active"))
                }
            };
            self.sessions.remove(&victim);
        }
        Ok(())
    }

    pub(super) fn log_out(&mut self, client: usize) {
        self.write(client).owner = None;
    }

    pub(super) fn end(&mut self, client: usize) -> bool {
        self.sessions.remove(&client).is_some()
    }

    pub(super) fn end_all(&mut self, owner: usize, keep: Option<usize>) -> usize {
        let mut clients = self.of(owner);
        clients.retain(|client| Some(*client) != keep);
        clients.iter().for_each(|client| {
            self.sessions.remove(client);
        });
        clients.len()
    }

    pub(super) fn end_everything(&mut self) {
        self.sessions.clear();
    }
}
