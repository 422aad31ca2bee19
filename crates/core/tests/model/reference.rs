//! What sessions do, said as plainly as possible: one call after the other, no storage, no locks but a note of who
//! holds them, and copies instead of anything clever.

use std::collections::BTreeMap;

use sessile_core::{Expiration, SessionError};

use crate::call::{Form, Place, Spot, Way};
use crate::contents::{Contents, Numbers, Seen};
use crate::life::{End, Is};

/// Ids are counted.
pub(crate) type Id = usize;

/// How calls fail.
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
            other => panic!("nothing here can fail with {other:?}"),
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

/// A session at rest.
#[derive(Debug)]
struct Stored {
    contents: Contents,
    locked_by: Option<usize>,
    /// Counts the writes, and what may have been one.
    version: u64,
}

impl Stored {
    fn end(&self) -> End {
        self.contents.life.as_ref().map_or(End::NEVER, |life| life.end())
    }

    /// When it ends for a visit that goes on, which is activity.
    fn limit(&self) -> End {
        self.contents.life.as_ref().map_or(End::NEVER, |life| life.limit())
    }
}

/// What a visit knows.
#[derive(Debug)]
pub(crate) struct Visit {
    id: Option<Id>,
    next_id: Option<Id>,
    strict: bool,
    restarted: bool,
    phase: Phase,
    /// Whether it has seen its session.
    seen: bool,
    superseded: bool,
    /// The id of the session that was found to have moved, which the visit can still end.
    left_behind: Option<Id>,
    /// Whether a close has failed and its changes were undone.
    undone: bool,
    view: Contents,
    /// What it goes back to when it gives up.
    base: Contents,
    changed: bool,
    /// Whether there may be something to be written that was not changed by a call.
    may_write: bool,
    /// When the stored session ends, as far as this visit knows, and when it does while the visit goes on.
    known_end: End,
    known_limit: End,
    /// Whether it has given the session another expiration that is not stored yet.
    new_life: bool,
    /// The version it has loaded or written; `None` for a session that is not stored.
    version: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) now: u64,
    default: Form,
    stored: BTreeMap<Id, Stored>,
    /// Ids that are known to have been replaced, for longer than any test lasts, whatever becomes of the session, and by
    /// which.
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

    /// When its session ends for it.
    fn end(&self) -> End {
        let Some(life) = &self.view.life else { return End::NEVER };
        match (self.is_stored(), self.new_life) {
            (true, false) => self.known_limit,
            (true, true) => self.known_limit.min(life.limit()),
            (false, _) => life.limit(),
        }
    }

    fn give_up(&mut self) {
        if self.phase == Phase::Writable {
            self.phase = Phase::Readable;
            if self.changed || self.is_stored() {
                self.view = self.base.clone();
            }
            self.next_id = None;
            self.new_life = false;
            self.changed = false;
        }
    }

    fn forget(&mut self) {
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
            seen: false,
            superseded: false,
            left_behind: None,
            undone: false,
            view: Contents::default(),
            base: Contents::default(),
            changed: false,
            may_write: false,
            known_end: End::NEVER,
            known_limit: End::NEVER,
            new_life: false,
            version: None,
        }
    }
}

impl Model {
    pub(crate) fn new(now: u64, default: Form) -> Self {
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

    /// Whatever was uncertain about it was settled by looking, before the call.
    fn lookup(&mut self, id: Id) -> Lookup {
        let now = self.now;
        self.stored.retain(|_, stored| stored.end().is(now) != Is::Gone);
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
            let is_transient = stored.contents.life.as_ref().is_some_and(|life| life.transient);
            if visit.restarted && is_transient {
                self.stored.remove(&id);
                found = Lookup::Missing;
            }
        }
        let visit = self.visits.get_mut(&number).expect("it is open");
        match found {
            Lookup::Found => {
                self.load(number, id, exclusive);
                return Ok(());
            }
            Lookup::Missing if visit.seen => return Err(Failure::Gone),
            Lookup::Missing if visit.strict => return Err(Failure::Unknown),
            Lookup::Missing => {}
            Lookup::Superseded => {
                visit.superseded = true;
                if visit.seen || visit.strict {
                    return Err(Failure::Superseded);
                }
            }
        }
        visit.forget();
        visit.left_behind = matches!(found, Lookup::Superseded).then_some(id);
        self.begin(number, exclusive);
        Ok(())
    }

    /// Whether starting does nothing, as the visit has started already.
    pub(crate) fn has_started(&self, number: usize, exclusive: bool) -> bool {
        match self.visits.get(&number).map(|visit| visit.phase) {
            Some(Phase::Writable) => true,
            Some(Phase::Readable) => !exclusive,
            _ => false,
        }
    }

    /// A session that is nowhere stored.
    fn begin(&mut self, number: usize, exclusive: bool) {
        let visit = self.visits.get_mut(&number).expect("it is open");
        visit.phase = if exclusive { Phase::Writable } else { Phase::Readable };
        visit.undone &= !exclusive;
        if exclusive && visit.view.life.is_none() {
            visit.view.life = Some(self.numbers.begin(self.default, self.now));
        }
    }

    fn load(&mut self, number: usize, id: Id, exclusive: bool) {
        let now = self.now;
        let visit = self.visits.get_mut(&number).expect("it is open");
        let stored = self.stored.get_mut(&id).expect("it was found");
        // Who only reads removes what is dead by a commit of its own, if nobody holds the lock.
        let can_remove = !exclusive && stored.locked_by.is_none();
        visit.restarted &= stored.contents.has_transient();
        let may_hold_dead = stored.contents.may_hold_dead(now) || visit.restarted;
        let resolution = stored.contents.resolution(now);
        let items = resolution.filter(|_| !may_hold_dead || can_remove);
        stored.contents.visit(now, resolution, items);
        if can_remove && may_hold_dead {
            stored.version += 1;
        }
        visit.changed = false;
        visit.may_write = may_hold_dead;
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
        visit.seen = true;
        visit.known_end = stored.end();
        visit.known_limit = stored.limit();
        visit.new_life = false;
        visit.version = Some(stored.version);
    }

    /// The visit, if it may write.
    fn writer(&mut self, number: usize) -> Result<(&mut Visit, &mut Numbers, u64), Failure> {
        let visit = self.visits.get_mut(&number).expect("it is open");
        match visit.phase {
            Phase::Unstarted | Phase::Destroyed => Err(Failure::NotStarted),
            _ if visit.end().is(self.now) == Is::Gone => Err(Failure::Gone),
            Phase::Readable => Err(Failure::NotWritable),
            Phase::Writable => Ok((visit, &mut self.numbers, self.now)),
        }
    }

    pub(crate) fn set(&mut self, number: usize, spot: Spot, value: u64, form: Option<Form>) -> Result<(), Failure> {
        let (visit, numbers, now) = self.writer(number)?;
        visit.changed |= visit.view.set(spot, value, form, now, numbers);
        Ok(())
    }

    pub(crate) fn unset(&mut self, number: usize, spot: Spot) -> Result<bool, Failure> {
        let (visit, _, now) = self.writer(number)?;
        let removed = visit.view.unset(spot, now);
        visit.changed |= removed;
        Ok(removed)
    }

    pub(crate) fn set_key_expiration(&mut self, number: usize, spot: Spot, form: Form) -> Result<bool, Failure> {
        let (visit, numbers, now) = self.writer(number)?;
        let life = numbers.begin(form, now);
        let found = visit.view.set_key_life(spot, life, now);
        visit.changed |= found;
        Ok(found)
    }

    pub(crate) fn set_expiration(&mut self, number: usize, place: Place, form: Form) -> Result<(), Failure> {
        let (visit, numbers, now) = self.writer(number)?;
        let life = numbers.begin(form, now);
        match place {
            None => {
                visit.view.life = Some(life);
                visit.new_life = true;
            }
            Some(_) => visit.view.set_room_life(place, life, now, numbers),
        }
        visit.changed = true;
        Ok(())
    }

    /// What is returned if that is certain.
    pub(crate) fn destroy_namespace(&mut self, number: usize, place: Place) -> Result<Option<bool>, Failure> {
        let (visit, _, now) = self.writer(number)?;
        let (was_there, was_kept) = visit.view.remove_room(place, now);
        visit.changed |= was_there == Some(true);
        visit.may_write |= was_kept;
        Ok(was_there)
    }

    pub(crate) fn regenerate_id(&mut self, number: usize) -> Result<(), Failure> {
        let id = self.new_id();
        let visit = self.visits.get_mut(&number).expect("it is open");
        match visit.phase {
            Phase::Writable => visit.next_id = Some(id),
            Phase::Readable => return Err(Failure::NotWritable),
            Phase::Unstarted | Phase::Destroyed => return Err(Failure::NotStarted),
        }
        Ok(())
    }

    /// Closes. `real` is what came of it where that is not certain. Says whether everything was written.
    pub(crate) fn close(&mut self, number: usize, real: Result<(), Failure>) -> Result<bool, Failure> {
        let now = self.now;
        let visit = &self.visits[&number];
        if visit.phase != Phase::Writable {
            return if visit.undone { Err(Failure::Undone) } else { Ok(false) };
        }
        let changes = visit.changed || visit.next_id.is_some();
        match visit.id.filter(|_| visit.is_stored()) {
            None if !changes => {
                self.visits.get_mut(&number).expect("it is open").phase = Phase::Readable;
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
                let visit = self.visits.get_mut(&number).expect("it is open");
                match (found, changes) {
                    (false, true) => self.fail(number, Failure::Gone),
                    // To find out it would have to ask, for which it may have no reason.
                    (false, false) => {
                        visit.give_up();
                        match real {
                            Ok(()) => Ok(false),
                            Err(failure) => self.fail(number, failure),
                        }
                    }
                    (true, true) => {
                        let version = self.stored.remove(&id).expect("it was found").version + 1;
                        let next = visit.next_id.unwrap_or(id);
                        self.store(number, next, version);
                        if next != id {
                            self.moved.insert(id, next);
                        }
                        Ok(true)
                    }
                    (true, false) => {
                        let stored = self.stored.get_mut(&id).expect("it was found");
                        stored.locked_by = None;
                        let may_hold_dead = stored.contents.may_hold_dead(now);
                        let resolution = stored.contents.resolution(now);
                        let sure = resolution.filter(|_| !may_hold_dead && !visit.may_write);
                        stored.contents.visit(now, sure, sure);
                        visit.view.visit(now, sure, sure);
                        stored.version += u64::from(may_hold_dead || visit.may_write);
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
        let visit = self.visits.get_mut(&number).expect("it is open");
        visit.give_up();
        visit.undone = true;
        Err(failure)
    }

    fn store(&mut self, number: usize, id: Id, version: u64) {
        let now = self.now;
        let visit = self.visits.get_mut(&number).expect("it is open");
        visit.view.purge(now);
        // A session that is new, or has got another expiration, slides from now exactly.
        let is_exact = version == 1 || visit.new_life;
        let resolution = match is_exact {
            true => Some(0),
            false => visit.view.resolution(now),
        };
        visit.view.visit(now, resolution, resolution);
        let mut contents = visit.view.clone();
        if let Some(life) = &mut contents.life {
            // It lives on from being written, whatever became of its window meanwhile.
            life.slid = life.window.map_or(End::NEVER, |window| End::at(now + window));
        }
        contents.write(now, resolution.unwrap_or(0));
        let stored = Stored {
            contents,
            locked_by: None,
            version,
        };
        visit.id = Some(id);
        visit.next_id = None;
        visit.seen = true;
        visit.restarted = false;
        visit.known_end = stored.end();
        visit.known_limit = stored.limit();
        visit.new_life = false;
        visit.version = Some(version);
        visit.base = visit.view.clone();
        visit.changed = false;
        visit.phase = Phase::Readable;
        self.stored.insert(id, stored);
    }

    pub(crate) fn release(&mut self, number: usize) {
        let visit = self.visits.get_mut(&number).expect("it is open");
        visit.give_up();
        visit.undone = false;
        for stored in self.stored.values_mut() {
            if stored.locked_by == Some(number) {
                stored.locked_by = None;
            }
        }
    }

    pub(crate) fn destroy(&mut self, number: usize) {
        let visit = &self.visits[&number];
        let mut meant = visit.id.or(visit.left_behind);
        while let Some(id) = meant {
            self.stored.remove(&id);
            meant = self.moved.get(&id).copied();
        }
        let visit = self.visits.get_mut(&number).expect("it is open");
        visit.forget();
        visit.superseded = false;
        visit.phase = Phase::Destroyed;
    }

    pub(crate) fn update(
        &mut self,
        number: usize,
        spot: Spot,
        value: u64,
        real: Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.visits[&number].phase == Phase::Writable {
            return self.set(number, spot, value, None);
        }
        self.start(number, true)?;
        match self.set(number, spot, value, None) {
            Ok(()) => self.close(number, real).map(drop),
            Err(failure) => {
                self.release(number);
                Err(failure)
            }
        }
    }

    pub(crate) fn end(&mut self, number: usize, way: Way, real: Result<(), Failure>) -> Result<(), Failure> {
        let result = match way {
            Way::Close => self.close(number, real),
            Way::Release => {
                self.release(number);
                Ok(false)
            }
            Way::Drop => {
                self.release(number);
                Ok(true)
            }
        };
        if let Ok(false) = result {
            self.visit_ends(number);
        }
        self.release(number);
        self.visits.remove(&number);
        result.map(drop)
    }

    /// What slides moves once more, if the visit has seen its session.
    fn visit_ends(&mut self, number: usize) {
        let now = self.now;
        let Some(id) = self.visits[&number].id else { return };
        let Lookup::Found = self.lookup(id) else { return };
        let visit = &self.visits[&number];
        let stored = self.stored.get_mut(&id).expect("it was found");
        if !visit.seen || visit.phase == Phase::Destroyed {
            return;
        }
        // It is certain only where nobody else has written since.
        let is_sure = visit.version == Some(stored.version) && visit.known_end.is(now) == Is::There;
        let may_hold_dead = stored.contents.may_hold_dead(now) || (visit.restarted && stored.contents.has_transient());
        let session = stored.contents.resolution(now).filter(|_| is_sure);
        stored.contents.visit(now, session, session.filter(|_| !may_hold_dead));
    }

    /// Compares what a visit says of itself.
    pub(crate) fn compare_flags(&self, number: usize, [exists, active, readable, writable]: [bool; 4]) {
        let visit = &self.visits[&number];
        assert_eq!(exists, visit.has_id(), "exists: {visit:?}");
        let started = matches!(visit.phase, Phase::Readable | Phase::Writable);
        assert_eq!((active, readable), (started, started), "active: {visit:?}");
        assert_eq!(writable, visit.phase == Phase::Writable, "writable: {visit:?}");
    }

    pub(crate) fn expiration(&self, number: usize) -> Option<Expiration> {
        self.visits[&number].view.life.as_ref().map(|life| life.shown())
    }

    /// The id that a visit has.
    pub(crate) fn id(&self, number: usize) -> Option<Id> {
        let visit = &self.visits[&number];
        visit.next_id.or(visit.id)
    }

    /// Compares what a visit sees, place by place, and learns from it.
    pub(crate) fn compare_view(&mut self, number: usize, seen: &[(Place, Result<Seen, Failure>)]) {
        let now = self.now;
        let visit = self.visits.get_mut(&number).expect("it is open");
        for (place, seen) in seen {
            if matches!(visit.phase, Phase::Unstarted | Phase::Destroyed) {
                assert_eq!(*seen, Err(Failure::NotStarted));
                continue;
            }
            match (visit.end().is(now), seen) {
                (Is::Open, seen) => visit.known_limit.learn(seen.is_ok(), now),
                (Is::There, seen) => assert!(seen.is_ok(), "{place:?} is {seen:?}: {visit:?}"),
                (Is::Gone, seen) => assert_eq!(*seen, Err(Failure::Gone), "{visit:?}"),
            }
            if let Ok(seen) = seen {
                visit.view.compare(*place, seen, now);
            }
        }
        visit.base.learn_from(&visit.view);
    }

    /// A visit has only just loaded what is stored, so what it sees of it is what there is.
    pub(crate) fn learn_stored(&mut self, number: usize) {
        let visit = &self.visits[&number];
        if let Some(stored) = visit.id.and_then(|id| self.stored.get_mut(&id)) {
            stored.contents.learn_from(&visit.view);
        }
    }

    /// Compares whether a session is there.
    pub(crate) fn compare_stored(&mut self, id: Id, is_there: bool) {
        let now = self.now;
        let Some(stored) = self.stored.get_mut(&id) else {
            assert!(!is_there, "{id} is stored");
            return;
        };
        match (stored.end().is(now), &mut stored.contents.life) {
            (Is::Open, Some(life)) => life.learn(is_there, now),
            (is, _) => assert_eq!(is_there, is == Is::There, "{id}: {stored:?}"),
        }
    }

    /// Compares what is stored, as a fresh visit would see it, and learns from it.
    pub(crate) fn compare_contents(&mut self, id: Id, place: Place, seen: &Seen) {
        let now = self.now;
        if let Some(stored) = self.stored.get_mut(&id) {
            stored.contents.compare(place, seen, now);
        }
    }
}
