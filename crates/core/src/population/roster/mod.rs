//! [`Roster`]: an ordered list of sessions, kept as a record.

mod codec;
mod held;

use crate::clock::Timestamp;
use crate::events::EndReason;
use crate::id::SessionKey;
use crate::storage::{Facts, Role};

pub(super) use self::held::{ATTEMPTS, Committed, HeldRoster};

/// The name of a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RosterName<'a> {
    /// The sessions of this owner.
    Owner(&'a str),
    /// Sessions whose ends have to be reported.
    Watchlist(u16),
}

impl RosterName<'_> {
    /// Returns the key under which the roster is stored.
    pub(super) fn key(self) -> SessionKey {
        match self {
            Self::Owner(owner) => SessionKey::derive("owner", owner),
            Self::Watchlist(number) => SessionKey::derive("watchlist", &number.to_string()),
        }
    }

    fn facts(self) -> Facts {
        match self {
            Self::Owner(owner) => Facts::of_role(Role::Owner).with_owner(Some((owner, Timestamp::MIN))),
            Self::Watchlist(_) => Facts::of_role(Role::Watchlist),
        }
    }
}

/// Places of sessions, in the order in which they were taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Roster {
    pub(super) places: Vec<Place>,
}

/// The number of keys that a place has behind that at which the session was found last, and before it. Moves that were
/// refused take theirs back, so that only as many visits as this could fill it that have all lost their locks and were
/// dropped.
const MAX_KEYS: usize = 16;

/// The place of one session in a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) key: SessionKey,
    /// The keys to which the session may be moving or may have moved: the place stands for all of them. There is more
    /// than one only if a move has failed, such as that of a visit that had lost its lock.
    pub(super) next: Vec<SessionKey>,
    /// When the place was taken.
    pub(super) since: Timestamp,
    /// `true` if the session was seen. Until then it may be about to be created.
    pub(super) settled: bool,
    /// The deadline of the session when it was last looked at. Only in watchlists.
    pub(super) deadline: Option<Timestamp>,
    /// The owner of the session when it was last looked at. Only in watchlists.
    pub(super) owner: Option<Box<str>>,
    /// The end of the session. Only in watchlists.
    pub(super) ending: Option<Ending>,
    /// The keys that the session has left since its end was noted: a caller that ends it may know it by one of them.
    pub(super) former: Vec<SessionKey>,
}

/// The end of a session that has to be reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) reason: EndReason,
    /// When it is up to others to report it.
    pub(super) due: Timestamp,
}

impl Place {
    pub(super) fn new(key: SessionKey, now: Timestamp) -> Self {
        Self {
            key,
            next: Vec::new(),
            since: now,
            settled: false,
            deadline: None,
            owner: None,
            ending: None,
            former: Vec::new(),
        }
    }

    /// Returns whether the session may have ended without anybody reporting it.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let due = self.ending.map_or(self.deadline, |ending| Some(ending.due));
        due.is_some_and(|due| due <= now)
    }

    /// Returns the key under which the session is or was at last, as far as the place tells.
    pub(super) fn last_key(&self) -> &SessionKey {
        self.next.last().unwrap_or(&self.key)
    }

    /// Returns whether the session is or was stored under this key.
    pub(super) fn is_of(&self, key: &SessionKey) -> bool {
        self.keys().chain(&self.former).any(|other| other == key)
    }

    /// Returns the keys under which the session can be, the older one first.
    pub(super) fn keys(&self) -> impl Iterator<Item = &SessionKey> {
        std::iter::once(&self.key).chain(&self.next)
    }

    /// Records that the session is about to move from one of its keys to another.
    ///
    /// The visit that moves it may have lost its lock, so an earlier move from the same key may have taken place, or be
    /// about to: its key stays.
    pub(super) fn move_on(&mut self, from: SessionKey, to: SessionKey) {
        // A visit that has lost its lock can know a key that the session has left: that does not tell where it is.
        if self.next.contains(&from) {
            self.found_at(from);
        }
        push_bounded(&mut self.next, to);
    }

    /// Records that the session has not moved to a key, and never will. It was stored under another one.
    pub(super) fn move_back(&mut self, to: &SessionKey) {
        self.next.retain(|next| next != to);
        self.settled = true;
    }

    /// Records where the session was found. Moves from there may be under way; moves from any other key have failed.
    pub(super) fn found_at(&mut self, key: SessionKey) {
        self.settled = true;
        if self.key != key {
            if self.ending.is_some() {
                push_bounded(&mut self.former, self.key);
            }
            self.key = key;
            self.next.clear();
        }
    }
}

fn push_bounded(keys: &mut Vec<SessionKey>, key: SessionKey) {
    if keys.len() == MAX_KEYS {
        keys.remove(0);
    }
    keys.push(key);
}

impl Roster {
    pub(super) fn place_of(&mut self, key: &SessionKey) -> Option<&mut Place> {
        self.places.iter_mut().find(|place| place.is_of(key))
    }

    /// Returns the place of a session; takes one if it has none.
    pub(super) fn place_or_insert(&mut self, key: &SessionKey, now: Timestamp) -> &mut Place {
        let index = match self.places.iter().position(|place| place.is_of(key)) {
            Some(index) => index,
            None => {
                self.places.push(Place::new(*key, now));
                self.places.len() - 1
            }
        };
        &mut self.places[index]
    }

    /// Removes the place of a session.
    pub(super) fn remove(&mut self, key: &SessionKey) {
        self.places.retain(|place| !place.is_of(key));
    }
}
