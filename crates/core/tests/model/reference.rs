//! The model of sessions. It is sequential and has no storage; a lock is a field with the visit that holds it, and
//! state is copied rather than shared.

use std::collections::BTreeMap;

use sessile_core::{Expiration, SessionError};

use crate::call::{Ending, ExpirationSpec, Scope, Slot};
use crate::contents::{Contents, Numbers, Observed};
use crate::lifetime::{End, Presence};

/// A number that identifies an id.
pub(crate) type Id = usize;

/// The error of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    NotStarted,
    NotWritable,
    Unknown,
    Gone,
    Superseded,
    LockTimeout,
    Undone,
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::NotStarted => Self::NotStarted,
            SessionError::NotWritable => Self::NotWritable,
            SessionError::Unknown => Self::Unknown,
            SessionError::Gone => Self::Gone,
            SessionError::Superseded => Self::Superseded,
            SessionError::LockTimeout => Self::LockTimeout,
            SessionError::Undone => Self::Undone,
            other => panic!("unexpected error {other:?}"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Unstarted,
    Readable,
    Writable,
    Destroyed,
}

/// A stored session.
#[derive(Debug)]
struct Stored {
    contents: Contents,
    locked_by: Option<usize>,
    /// The number of writes, including those that are uncertain.
    version: u64,
}

impl Stored {
    fn end(&self) -> End {
        self.contents
            .lifetime
            .as_ref()
            .map_or(End::NEVER, |lifetime| lifetime.end())
    }

    /// Returns the end for a visit that continues, which counts as activity.
    fn limit(&self) -> End {
        self.contents
            .lifetime
            .as_ref()
            .map_or(End::NEVER, |lifetime| lifetime.limit())
    }
}

/// The state of a visit.
#[derive(Debug)]
pub(crate) struct Visit {
    id: Option<Id>,
    next_id: Option<Id>,
    strict: bool,
    restarted: bool,
    phase: Phase,
    /// The visit has loaded its session.
    has_loaded: bool,
    superseded: bool,
    /// The id of the session that has moved, which the visit can still destroy.
    moved_id: Option<Id>,
    /// A close has failed and its changes were reverted.
    undone: bool,
    view: Contents,
    /// The contents that it reverts to.
    base: Contents,
    changed: bool,
    /// There may be changes to write that no call has made.
    may_write: bool,
    /// The end of the stored session as far as this visit knows, and its end while the visit continues.
    known_end: End,
    known_limit: End,
    /// The visit has set an expiration of the session that is not stored yet.
    new_lifetime: bool,
    /// The version that it has loaded or written; `None` for a session that is not stored.
    version: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) now: u64,
    default: ExpirationSpec,
    stored: BTreeMap<Id, Stored>,
    /// The replacements of ids that were rotated. They are kept even if the session ends, as tombstones
    /// outlive every test.
    moved: BTreeMap<Id, Id>,
    pub(crate) visits: BTreeMap<usize, Visit>,
    pub(crate) ids: Id,
    numbers: Numbers,
}

enum Lookup {
    Found,
    Missing,
    Superseded,
}

impl Visit {
    fn has_id(&self) -> bool {
        self.id.or(self.next_id).is_some()
    }

    fn is_stored(&self) -> bool {
        self.version.is_some()
    }

    /// Returns the end of the session for this visit.
    fn end(&self) -> End {
        let Some(lifetime) = &self.view.lifetime else {
            return End::NEVER;
        };
        match (self.is_stored(), self.new_lifetime) {
            (true, false) => self.known_limit,
            (true, true) => self.known_limit.min(lifetime.limit()),
            (false, _) => lifetime.limit(),
        }
    }

    fn revert(&mut self) {
        if self.phase == Phase::Writable {
            self.phase = Phase::Readable;
            if self.changed || self.is_stored() {
                self.view = self.base.clone();
            }
            self.next_id = None;
            self.new_lifetime = false;
            self.changed = false;
        }
    }

    fn reset(&mut self) {
        *self = Self {
            phase: self.phase,
            restarted: self.restarted,
            superseded: self.superseded,
            ..Self::new(None, self.strict, false)
        };
    }

    fn new(id: Option<Id>, strict: bool, restarted: bool) -> Self {
        Self {
            id,
            next_id: None,
            strict,
            restarted,
            phase: Phase::Unstarted,
            has_loaded: false,
            superseded: false,
            moved_id: None,
            undone: false,
            view: Contents::default(),
            base: Contents::default(),
            changed: false,
            may_write: false,
            known_end: End::NEVER,
            known_limit: End::NEVER,
            new_lifetime: false,
            version: None,
        }
    }
}

impl Model {
    pub(crate) fn new(now: u64, default: ExpirationSpec) -> Self {
        Self {
            now,
            default,
            stored: BTreeMap::new(),
            moved: BTreeMap::new(),
            visits: BTreeMap::new(),
            ids: 0,
            numbers: Numbers::default(),
        }
    }

    fn new_id(&mut self) -> Id {
        self.ids += 1;
        self.ids - 1
    }

    /// Looks up a session. Earlier observations have settled everything that was uncertain about it.
    fn lookup(&mut self, id: Id) -> Lookup {
        let now = self.now;
        self.stored
            .retain(|_, stored| stored.end().presence(now) != Presence::Expired);
        if self.stored.contains_key(&id) {
            return Lookup::Found;
        }
        match self.moved.contains_key(&id) {
            true => Lookup::Superseded,
            false => Lookup::Missing,
        }
    }

    pub(crate) fn open(&mut self, number: usize, id: Option<Id>, strict: bool, restarted: bool) {
        self.visits.insert(number, Visit::new(id, strict, restarted));
    }

    pub(crate) fn start(&mut self, number: usize, exclusive: bool) -> Result<(), Failure> {
        if self.has_started(number, exclusive) {
            return Ok(());
        }
        let visit = &self.visits[&number];
        let Some(id) = visit.id else {
            self.begin(number, exclusive);
            return Ok(());
        };
        let mut found = self.lookup(id);
        if let Lookup::Found = found {
            let (stored, visit) = (&self.stored[&id], &self.visits[&number]);
            if exclusive && stored.locked_by.is_some() {
                return Err(Failure::LockTimeout);
            }
            let is_transient = stored
                .contents
                .lifetime
                .as_ref()
                .is_some_and(|lifetime| lifetime.transient);
            if visit.restarted && is_transient {
                self.stored.remove(&id);
                found = Lookup::Missing;
            }
        }
        let visit = self.visits.get_mut(&number).expect("the visit is open");
        match found {
            Lookup::Found => {
                self.load(number, id, exclusive);
                return Ok(());
            }
            Lookup::Missing if visit.has_loaded => return Err(Failure::Gone),
            Lookup::Missing if visit.strict => return Err(Failure::Unknown),
            Lookup::Missing => {}
            Lookup::Superseded => {
                visit.superseded = true;
                if visit.has_loaded || visit.strict {
                    return Err(Failure::Superseded);
                }
            }
        }
        visit.reset();
        visit.moved_id = matches!(found, Lookup::Superseded).then_some(id);
        self.begin(number, exclusive);
        Ok(())
    }

    /// Returns whether starting does nothing because the visit has already started.
    pub(crate) fn has_started(&self, number: usize, exclusive: bool) -> bool {
        match self.visits.get(&number).map(|visit| visit.phase) {
            Some(Phase::Writable) => true,
            Some(Phase::Readable) => !exclusive,
            _ => false,
        }
    }

    /// Begins a session that is not stored.
    fn begin(&mut self, number: usize, exclusive: bool) {
        let visit = self.visits.get_mut(&number).expect("the visit is open");
        visit.phase = if exclusive { Phase::Writable } else { Phase::Readable };
        visit.undone &= !exclusive;
        if exclusive && visit.view.lifetime.is_none() {
            visit.view.lifetime = Some(self.numbers.begin(self.default, self.now));
        }
    }

    fn load(&mut self, number: usize, id: Id, exclusive: bool) {
        let now = self.now;
        let visit = self.visits.get_mut(&number).expect("the visit is open");
        let stored = self.stored.get_mut(&id).expect("the session was found");
        // A read-only visit removes expired items by a commit of its own, if the lock is free.
        let can_remove = !exclusive && stored.locked_by.is_none();
        visit.restarted &= stored.contents.has_transient();
        let may_hold_expired = stored.contents.may_hold_expired(now) || visit.restarted;
        let resolution = stored.contents.resolution(now);
        let items = resolution.filter(|_| !may_hold_expired || can_remove);
        stored.contents.visit(now, resolution, items);
        if can_remove && may_hold_expired {
            stored.version += 1;
        }
        visit.changed = false;
        visit.may_write = may_hold_expired;
        visit.view = stored.contents.clone();
        if visit.restarted {
            visit.view.remove_transient();
            if can_remove {
                stored.contents.remove_transient();
                visit.restarted = false;
            }
            visit.changed = exclusive;
        }
        if exclusive {
            stored.locked_by = Some(number);
        }
        visit.base = visit.view.clone();
        visit.phase = if exclusive { Phase::Writable } else { Phase::Readable };
        visit.undone &= !exclusive;
        visit.has_loaded = true;
        visit.known_end = stored.end();
        visit.known_limit = stored.limit();
        visit.new_lifetime = false;
        visit.version = Some(stored.version);
    }

    /// Returns the visit, if it may write.
    fn writer(&mut self, number: usize) -> Result<(&mut Visit, &mut Numbers, u64), Failure> {
        let visit = self.visits.get_mut(&number).expect("the visit is open");
        match visit.phase {
            Phase::Unstarted | Phase::Destroyed => Err(Failure::NotStarted),
            _ if visit.end().presence(self.now) == Presence::Expired => Err(Failure::Gone),
            Phase::Readable => Err(Failure::NotWritable),
            Phase::Writable => Ok((visit, &mut self.numbers, self.now)),
        }
    }

    pub(crate) fn set(
        &mut self,
        number: usize,
        slot: Slot,
        value: u64,
        spec: Option<ExpirationSpec>,
    ) -> Result<(), Failure> {
        let (visit, numbers, now) = self.writer(number)?;
        visit.changed |= visit.view.set(slot, value, spec, now, numbers);
        Ok(())
    }

    pub(crate) fn unset(&mut self, number: usize, slot: Slot) -> Result<bool, Failure> {
        let (visit, _, now) = self.writer(number)?;
        let removed = visit.view.unset(slot, now);
        visit.changed |= removed;
        Ok(removed)
    }

    pub(crate) fn set_key_expiration(
        &mut self,
        number: usize,
        slot: Slot,
        spec: ExpirationSpec,
    ) -> Result<bool, Failure> {
        let (visit, numbers, now) = self.writer(number)?;
        let lifetime = numbers.begin(spec, now);
        let found = visit.view.set_key_lifetime(slot, lifetime, now);
        visit.changed |= found;
        Ok(found)
    }

    pub(crate) fn set_expiration(&mut self, number: usize, scope: Scope, spec: ExpirationSpec) -> Result<(), Failure> {
        let (visit, numbers, now) = self.writer(number)?;
        let lifetime = numbers.begin(spec, now);
        match scope {
            None => {
                visit.view.lifetime = Some(lifetime);
                visit.new_lifetime = true;
            }
            Some(_) => visit.view.set_group_lifetime(scope, lifetime, now, numbers),
        }
        visit.changed = true;
        Ok(())
    }

    /// Returns the expected result, if it is certain.
    pub(crate) fn destroy_namespace(&mut self, number: usize, scope: Scope) -> Result<Option<bool>, Failure> {
        let (visit, _, now) = self.writer(number)?;
        let (was_there, was_kept) = visit.view.remove_group(scope, now);
        visit.changed |= was_there == Some(true);
        visit.may_write |= was_kept;
        Ok(was_there)
    }

    pub(crate) fn regenerate_id(&mut self, number: usize) -> Result<(), Failure> {
        let id = self.new_id();
        let visit = self.visits.get_mut(&number).expect("the visit is open");
        match visit.phase {
            Phase::Writable => visit.next_id = Some(id),
            Phase::Readable => return Err(Failure::NotWritable),
            Phase::Unstarted | Phase::Destroyed => return Err(Failure::NotStarted),
        }
        Ok(())
    }

    /// Closes. `real` is the real result, for cases in which it is uncertain. Returns whether everything was written.
    pub(crate) fn close(&mut self, number: usize, real: Result<(), Failure>) -> Result<bool, Failure> {
        let now = self.now;
        let visit = &self.visits[&number];
        if visit.phase != Phase::Writable {
            return if visit.undone { Err(Failure::Undone) } else { Ok(false) };
        }
        let changes = visit.changed || visit.next_id.is_some();
        match visit.id.filter(|_| visit.is_stored()) {
            None if !changes => {
                self.visits.get_mut(&number).expect("the visit is open").phase = Phase::Readable;
                Ok(false)
            }
            None if visit.superseded => self.fail(number, Failure::Superseded),
            None => {
                let id = match visit.next_id {
                    Some(id) => id,
                    None => self.new_id(),
                };
                self.store(number, id, 1);
                Ok(true)
            }
            Some(id) => {
                let found = matches!(self.lookup(id), Lookup::Found);
                let visit = self.visits.get_mut(&number).expect("the visit is open");
                match (found, changes) {
                    (false, true) => self.fail(number, Failure::Gone),
                    // The real visit would have to ask the storage, for which it may have no reason.
                    (false, false) => {
                        visit.revert();
                        match real {
                            Ok(()) => Ok(false),
                            Err(failure) => self.fail(number, failure),
                        }
                    }
                    (true, true) => {
                        let version = self.stored.remove(&id).expect("the session was found").version + 1;
                        let next = visit.next_id.unwrap_or(id);
                        self.store(number, next, version);
                        if next != id {
                            self.moved.insert(id, next);
                        }
                        Ok(true)
                    }
                    (true, false) => {
                        let stored = self.stored.get_mut(&id).expect("the session was found");
                        stored.locked_by = None;
                        let may_hold_expired = stored.contents.may_hold_expired(now);
                        let resolution = stored.contents.resolution(now);
                        let certain = resolution.filter(|_| !may_hold_expired && !visit.may_write);
                        stored.contents.visit(now, certain, certain);
                        visit.view.visit(now, certain, certain);
                        stored.version += u64::from(may_hold_expired || visit.may_write);
                        visit.known_end = stored.end();
                        visit.known_limit = stored.limit();
                        visit.base = visit.view.clone();
                        visit.phase = Phase::Readable;
                        Ok(false)
                    }
                }
            }
        }
    }

    fn fail(&mut self, number: usize, failure: Failure) -> Result<bool, Failure> {
        let visit = self.visits.get_mut(&number).expect("the visit is open");
        visit.revert();
        visit.undone = true;
        Err(failure)
    }

    fn store(&mut self, number: usize, id: Id, version: u64) {
        let now = self.now;
        let visit = self.visits.get_mut(&number).expect("the visit is open");
        visit.view.purge(now);
        // A new session, or one with a new expiration, slides from exactly now.
        let is_exact = version == 1 || visit.new_lifetime;
        let resolution = match is_exact {
            true => Some(0),
            false => visit.view.resolution(now),
        };
        visit.view.visit(now, resolution, resolution);
        let mut contents = visit.view.clone();
        if let Some(lifetime) = &mut contents.lifetime {
            // The lifetime restarts with the write, even if its window has passed meanwhile.
            lifetime.sliding_end = lifetime.window.map_or(End::NEVER, |window| End::at(now + window));
        }
        contents.write(now, resolution.unwrap_or(0));
        let stored = Stored {
            contents,
            locked_by: None,
            version,
        };
        visit.id = Some(id);
        visit.next_id = None;
        visit.has_loaded = true;
        visit.restarted = false;
        visit.known_end = stored.end();
        visit.known_limit = stored.limit();
        visit.new_lifetime = false;
        visit.version = Some(version);
        visit.base = visit.view.clone();
        visit.changed = false;
        visit.phase = Phase::Readable;
        self.stored.insert(id, stored);
    }

    pub(crate) fn release(&mut self, number: usize) {
        let visit = self.visits.get_mut(&number).expect("the visit is open");
        visit.revert();
        visit.undone = false;
        for stored in self.stored.values_mut() {
            if stored.locked_by == Some(number) {
                stored.locked_by = None;
            }
        }
    }

    pub(crate) fn destroy(&mut self, number: usize) {
        let visit = &self.visits[&number];
        let mut target = visit.id.or(visit.moved_id);
        while let Some(id) = target {
            self.stored.remove(&id);
            target = self.moved.get(&id).copied();
        }
        let visit = self.visits.get_mut(&number).expect("the visit is open");
        visit.reset();
        visit.superseded = false;
        visit.phase = Phase::Destroyed;
    }

    pub(crate) fn update(
        &mut self,
        number: usize,
        slot: Slot,
        value: u64,
        real: Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.visits[&number].phase == Phase::Writable {
            return self.set(number, slot, value, None);
        }
        self.start(number, true)?;
        match self.set(number, slot, value, None) {
            Ok(()) => self.close(number, real).map(drop),
            Err(failure) => {
                self.release(number);
                Err(failure)
            }
        }
    }

    pub(crate) fn end(&mut self, number: usize, ending: Ending, real: Result<(), Failure>) -> Result<(), Failure> {
        let result = match ending {
            Ending::Close => self.close(number, real),
            Ending::Release => {
                self.release(number);
                Ok(false)
            }
            Ending::Drop => {
                self.release(number);
                Ok(true)
            }
        };
        if let Ok(false) = result {
            self.apply_visit_end(number);
        }
        self.release(number);
        self.visits.remove(&number);
        result.map(drop)
    }

    /// Moves sliding expirations once more, if the visit has loaded its session.
    fn apply_visit_end(&mut self, number: usize) {
        let now = self.now;
        let Some(id) = self.visits[&number].id else { return };
        let Lookup::Found = self.lookup(id) else { return };
        let visit = &self.visits[&number];
        let stored = self.stored.get_mut(&id).expect("the session was found");
        if !visit.has_loaded || visit.phase == Phase::Destroyed {
            return;
        }
        // It is certain only if no other visit has written since.
        let is_certain = visit.version == Some(stored.version) && visit.known_end.presence(now) == Presence::Present;
        let may_hold_expired =
            stored.contents.may_hold_expired(now) || (visit.restarted && stored.contents.has_transient());
        let session = stored.contents.resolution(now).filter(|_| is_certain);
        stored
            .contents
            .visit(now, session, session.filter(|_| !may_hold_expired));
    }

    /// Compares the state that a visit reports.
    pub(crate) fn compare_flags(&self, number: usize, [exists, active, readable, writable]: [bool; 4]) {
        let visit = &self.visits[&number];
        assert_eq!(exists, visit.has_id(), "exists: {visit:?}");
        let started = matches!(visit.phase, Phase::Readable | Phase::Writable);
        assert_eq!((active, readable), (started, started), "active: {visit:?}");
        assert_eq!(writable, visit.phase == Phase::Writable, "writable: {visit:?}");
    }

    pub(crate) fn expiration(&self, number: usize) -> Option<Expiration> {
        self.visits[&number]
            .view
            .lifetime
            .as_ref()
            .map(|lifetime| lifetime.to_expiration())
    }

    /// Returns the id of a visit.
    pub(crate) fn id(&self, number: usize) -> Option<Id> {
        let visit = &self.visits[&number];
        visit.next_id.or(visit.id)
    }

    /// Compares the values that a visit reads, scope by scope, and narrows the uncertain ends.
    pub(crate) fn compare_view(&mut self, number: usize, observed: &[(Scope, Result<Observed, Failure>)]) {
        let now = self.now;
        let visit = self.visits.get_mut(&number).expect("the visit is open");
        for (scope, observed) in observed {
            if matches!(visit.phase, Phase::Unstarted | Phase::Destroyed) {
                assert_eq!(*observed, Err(Failure::NotStarted));
                continue;
            }
            match (visit.end().presence(now), observed) {
                (Presence::Uncertain, observed) => visit.known_limit.learn(observed.is_ok(), now),
                (Presence::Present, observed) => assert!(observed.is_ok(), "{scope:?} is {observed:?}: {visit:?}"),
                (Presence::Expired, observed) => assert_eq!(*observed, Err(Failure::Gone), "{visit:?}"),
            }
            if let Ok(observed) = observed {
                visit.view.compare(*scope, observed, now);
            }
        }
        visit.base.learn_from(&visit.view);
    }

    /// Applies the observations of a visit that has just loaded the session to the stored session.
    pub(crate) fn learn_stored(&mut self, number: usize) {
        let visit = &self.visits[&number];
        if let Some(stored) = visit.id.and_then(|id| self.stored.get_mut(&id)) {
            stored.contents.learn_from(&visit.view);
        }
    }

    /// Compares whether a session exists.
    pub(crate) fn compare_stored(&mut self, id: Id, exists: bool) {
        let now = self.now;
        let Some(stored) = self.stored.get_mut(&id) else {
            assert!(!exists, "{id} is stored");
            return;
        };
        match (stored.end().presence(now), &mut stored.contents.lifetime) {
            (Presence::Uncertain, Some(lifetime)) => lifetime.learn(exists, now),
            (presence, _) => assert_eq!(exists, presence == Presence::Present, "{id}: {stored:?}"),
        }
    }

    /// Compares the stored values as a new visit reads them, and narrows the uncertain ends.
    pub(crate) fn compare_contents(&mut self, id: Id, scope: Scope, observed: &Observed) {
        let now = self.now;
        if let Some(stored) = self.stored.get_mut(&id) {
            stored.contents.compare(scope, observed, now);
        }
    }
}
