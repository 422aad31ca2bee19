//! [`Sessions`]: the sessions of a history, with what is known of each of their keys.

use std::collections::BTreeMap;

use sessile_core::SessionKey;

use super::call::{Call, Outcome, What};

/// The time for which a former key surely leads to a session, in nanoseconds: less than tombstones stay.
const FOLLOWED: u64 = 40_000_000_000;

/// The time after which a call that was not acknowledged has its effect on all servers or on none, in nanoseconds.
const VAGUE: u64 = 20_000_000_000;

/// The life of a session under one key, as a history tells it.
#[derive(Debug, Clone)]
pub(super) struct KeyLife {
    /// The call that has given the session this key.
    pub(super) begun: Call,
    pub(super) from: Option<SessionKey>,
    pub(super) owner: Option<String>,
    /// The calls that have found the session alive by this key.
    pub(super) seen: Vec<Call>,
    /// From when on no call may find a session by this key, and why.
    pub(super) dead_from: Option<(u64, Call)>,
}

/// The sessions of a history.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    pub(super) keys: BTreeMap<SessionKey, KeyLife>,
    /// The keys of each session in their order, by the first of them.
    pub(super) chains: BTreeMap<SessionKey, Vec<SessionKey>>,
    /// Calls that may have given the session of a key another key or owner, without a process knowing.
    pub(super) doubts: BTreeMap<SessionKey, Vec<Call>>,
    /// When calls began that may have ended sessions without being acknowledged. Known only if a storage forgets that.
    vague: Vec<u64>,
}

impl KeyLife {
    /// Returns from when to when the session certainly lived under this key. A call that has begun at a moment and has
    /// found the session proves that it lived at that moment, as it cannot have come back.
    pub(super) fn certain(&self) -> Option<(u64, u64)> {
        let acknowledged = self.begun.ended();
        let first = self.seen.iter().map(Call::ended).fold(acknowledged, u64::min);
        let last = self.seen.iter().map(|call| call.begin).max()?;
        (first < last).then_some((first, last))
    }

    fn is_dead_after(&mut self, call: &Call) {
        let end = call.ended();
        if self.dead_from.as_ref().is_none_or(|(known, _)| end < *known) {
            self.dead_from = Some((end, call.clone()));
        }
    }
}

impl Sessions {
    /// `forgets` tells that the storage may return to an earlier state, as long as it has acknowledged no later one.
    pub(super) fn of(calls: &[Call], forgets: bool) -> Self {
        let mut sessions = Self::default();
        for call in calls {
            if let Some((from, key)) = call.renewal() {
                let life = KeyLife {
                    begun: call.clone(),
                    from,
                    owner: None,
                    seen: Vec::new(),
                    dead_from: None,
                };
                // An observer that comes upon a session does not know when it began, and perhaps its process does.
                if call.end.is_some() || !sessions.keys.contains_key(&key) {
                    sessions.keys.insert(key, life);
                }
            }
            if let (
                Outcome::Unknown(_),
                What::LogIn { from: Some(from), .. } | What::LogOut { from } | What::Renew { from },
            ) = (&call.outcome, &call.what)
            {
                sessions.doubts.entry(*from).or_default().push(call.clone());
            }
        }
        if forgets {
            sessions.vague = calls
                .iter()
                .filter(|call| call.may_have_ended())
                .map(|call| call.begin)
                .collect();
        }
        sessions.find_chains();
        sessions.find_owners();
        for call in calls {
            sessions.note(call, forgets);
        }
        sessions
    }

    fn find_chains(&mut self) {
        let next: BTreeMap<SessionKey, SessionKey> = self
            .keys
            .iter()
            .filter_map(|(key, life)| Some((life.from?, *key)))
            .collect();
        let is_first = |life: &KeyLife| life.from.is_none_or(|from| !self.keys.contains_key(&from));
        for (first, _) in self.keys.iter().filter(|(_, life)| is_first(life)) {
            let chain = std::iter::successors(Some(*first), |key| next.get(key).copied());
            self.chains.insert(*first, chain.collect());
        }
    }

    fn find_owners(&mut self) {
        for chain in self.chains.values() {
            let mut owner = None;
            for key in chain {
                let life = self.keys.get_mut(key).expect("a chain is of known keys");
                owner = match &life.begun.what {
                    What::LogIn { owner, .. } => Some(owner.clone()),
                    What::Renew { .. } => owner,
                    _ => None,
                };
                life.owner.clone_from(&owner);
            }
        }
    }

    fn note(&mut self, call: &Call, forgets: bool) {
        if let Some(life) = call.seen().and_then(|key| self.keys.get_mut(&key)) {
            life.seen.push(call.clone());
        }
        if let Outcome::Listed(keys) = &call.outcome {
            for key in keys {
                if let Some(life) = self.keys.get_mut(key) {
                    life.seen.push(call.clone());
                }
            }
        }
        if let Some((Some(from), _)) = call.renewal()
            && let Some(life) = self.keys.get_mut(&from)
        {
            life.is_dead_after(call);
        }
        // A session that another call had ended, which was not acknowledged, may come back: then this call has found
        // nothing to end, and has nothing to wait for.
        let is_vague = |begin: &u64| *begin + VAGUE > call.begin && *begin < call.ended();
        if !matches!(call.what, What::End { .. }) && self.vague.iter().any(is_vague) {
            return;
        }
        match &call.what {
            What::LogIn { from: Some(key), .. }
            | What::LogOut { from: key }
            | What::Renew { from: key }
            | What::Write { key }
            | What::Read { key }
                if call.outcome == Outcome::Missing && !forgets =>
            {
                if let Some(life) = self.keys.get_mut(key)
                    && call.begin >= life.begun.ended()
                {
                    life.is_dead_after(call);
                }
            }
            What::Destroy { key } | What::End { key } if matches!(call.outcome, Outcome::Found(_)) => {
                if let Some(first) = self.first_of(key)
                    && self.is_followed(key, &first, call)
                {
                    self.end(&first, call);
                }
            }
            What::EndAll { owner } if call.outcome == Outcome::Found(None) => self.end_all(owner, None, call),
            What::EndOthers { owner, keep } if call.outcome == Outcome::Found(None) => {
                self.end_all(owner, self.first_of(keep), call);
            }
            _ => {}
        }
    }

    /// Returns the first key of the session that has had this key.
    pub(super) fn first_of(&self, key: &SessionKey) -> Option<SessionKey> {
        let mut first = *key;
        while let Some(from) = self.keys.get(&first)?.from.filter(|from| self.keys.contains_key(from)) {
            first = from;
        }
        Some(first)
    }

    /// Returns whether a call that ends a session by this key finds it under its later keys.
    fn is_followed(&self, key: &SessionKey, first: &SessionKey, call: &Call) -> bool {
        let later = self.chains[first].iter().skip_while(|other| *other != key).skip(1);
        later
            .map(|key| &self.keys[key])
            .all(|life| life.begun.begin + FOLLOWED >= call.begin)
    }

    /// Notes that a session is dead after a call, by all of its keys.
    fn end(&mut self, first: &SessionKey, call: &Call) {
        for key in &self.chains[first] {
            self.keys
                .get_mut(key)
                .expect("a chain is of known keys")
                .is_dead_after(call);
        }
    }

    fn end_all(&mut self, owner: &str, kept: Option<SessionKey>, call: &Call) {
        let ended: Vec<SessionKey> = self
            .chains
            .iter()
            .filter(|(first, chain)| Some(**first) != kept && self.was_of(chain, owner, call))
            .map(|(first, _)| *first)
            .collect();
        for first in ended {
            self.end(&first, call);
        }
    }

    /// Returns whether a session has certainly belonged to an owner for the whole duration of a call, if it lived.
    fn was_of(&self, chain: &[SessionKey], owner: &str, during: &Call) -> bool {
        let life = |key: &SessionKey| &self.keys[key];
        let Some(present) = chain.iter().rposition(|key| life(key).begun.ended() <= during.begin) else {
            return false;
        };
        let later = chain[present..]
            .iter()
            .filter(|key| life(key).begun.begin < during.ended());
        let is_same = |call: &Call| match &call.what {
            What::LogIn { owner: other, .. } => other == owner,
            what => matches!(what, What::Renew { .. }),
        };
        let mut doubts = chain.iter().filter_map(|key| self.doubts.get(key)).flatten();
        later.map(life).all(|life| life.owner.as_deref() == Some(owner))
            && doubts.all(|call| call.begin >= during.ended() || is_same(call))
    }
}
