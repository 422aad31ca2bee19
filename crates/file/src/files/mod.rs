//! The blocking half of [`FileStorage`](crate::FileStorage): each verb as calls to the operating system.
//!
//! All verbs that change something go the same way: stage the new file, keep the others out of the stripe, look
//! again, give the staged file its name. `PROTOCOL.md` says why that is enough.

mod orphans;
pub(crate) mod quarantine;
mod replace;
mod rotate;
pub(crate) mod scan;
pub(crate) mod sweep;

use std::time::Duration;

use sessile_core::{LockTicket, LockToken, Lookup, Record, SessionKey, StorageErrorKind, Stored, Timestamp};

use crate::failure::{Doing, Failure, Result};
use crate::files::quarantine::Report;
use crate::folder::format::{Head, Kind, Nonce, Origin, encode};
use crate::folder::layout::stripe_of;
use crate::folder::leases::{Holding, Tenure};
use crate::folder::lookup::{Live, Part, Resolved, State, interpret};
use crate::folder::stripes::Held;
use crate::folder::{Folder, Staged};

/// Sessions in a folder.
pub(crate) struct Files {
    pub(crate) folder: Folder,
    pub(crate) tombstone: Duration,
    pub(crate) quarantine: Duration,
    pub(crate) on_set_aside: Option<Report>,
}

/// What became of an attempt to take a lock.
pub(crate) enum Try {
    Taken(Record),
    Held(Holding),
    /// The key is an alias of this one.
    Elsewhere(SessionKey),
    Superseded,
    Missing,
}

impl Files {
    /// Takes a step, again and again while other processes get in between. What is flawed is set aside on the way.
    pub(crate) fn take_step<T>(&self, step: impl Fn(&Self) -> Result<T>) -> Result<T> {
        self.folder.retry(|| match step(self) {
            Err(Failure::Flawed(flawed)) => Err(self.set_aside(flawed)),
            taken => taken,
        })
    }

    pub(crate) fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>> {
        Ok(match self.folder.resolve(key, Part::Whole)? {
            Resolved::Live(key, live) => Lookup::Found(Stored::new(key, live.into_record())),
            Resolved::Superseded => Lookup::Superseded,
            Resolved::Missing => Lookup::Missing,
        })
    }

    /// The key under which a session is to be locked.
    pub(crate) fn whereabouts(&self, key: &SessionKey) -> Result<Lookup<SessionKey>> {
        Ok(match self.folder.resolve(key, Part::Head)? {
            Resolved::Live(key, _) => Lookup::Found(key),
            Resolved::Superseded => Lookup::Superseded,
            Resolved::Missing => Lookup::Missing,
        })
    }

    pub(crate) fn create(&self, key: &SessionKey, record: &Record) -> Result<()> {
        let folder = &self.folder;
        let staged = self.stage_record(key, folder.nonce(), record, None)?;
        let held = folder.enter(stripe_of(key)).hold(&[&staged])?;
        if !matches!(self.settled(&held, key, Part::Head)?, State::Missing) {
            return Err(Failure::Refused(StorageErrorKind::Exists));
        }
        self.clear(&held, key)?;
        held.publish(staged, &folder.layout.record(key))?;
        drop(held);
        folder.sync_change(&folder.layout.leaf_of(key))
    }

    pub(crate) fn try_lock(&self, key: &SessionKey, token: LockToken) -> Result<Try> {
        let folder = &self.folder;
        let stamp = match folder.state(key, Part::Head)? {
            State::Live(live) => live.stamp,
            State::Alias(to) => return Ok(Try::Elsewhere(to)),
            State::Superseded(_) => return Ok(Try::Superseded),
            State::Missing => return Ok(Try::Missing),
        };
        // Those who have to wait find out without keeping anyone out.
        if let Tenure::Held(holding) = folder.tenure(key, stamp)? {
            return Ok(Try::Held(holding));
        }
        let State::Live(live) = folder.state(key, Part::Whole)? else {
            return Err(Failure::Revoked);
        };
        let ticket = LockTicket::new(*key, token);
        let alone = folder.enter(stripe_of(key));
        let staged = folder.stage_lease(&ticket, stamp)?;
        let held = alone.hold(&[&staged])?;
        // Of a record with the same stamp the payload is the same; what may have been touched is seen now.
        let meta = match self.settled(&held, key, Part::Head)? {
            State::Live(now) if now.stamp == stamp && live.stamp == stamp => now.meta,
            _ => return Err(Failure::Revoked),
        };
        if let Tenure::Held(holding) = folder.tenure(key, stamp)? {
            return Ok(Try::Held(holding));
        }
        held.publish(staged, &folder.layout.lease(key))?;
        Ok(Try::Taken(Record::new(meta, live.body)))
    }

    pub(crate) fn commit(&self, ticket: &LockTicket, record: &Record) -> Result<()> {
        let folder = &self.folder;
        let key = &ticket.key;
        // Where a session came from stays the same for ever.
        let from = self.expect_lock(ticket)?.from;
        let staged = self.stage_record(key, folder.nonce(), record, from)?;
        let held = folder.enter(stripe_of(key)).hold(&[&staged])?;
        self.require_lock(&held, ticket)?;
        held.publish(staged, &folder.layout.record(key))?;
        // The new stamp has ended the lease already; this is tidying up.
        let _ = folder.give_up(&held, ticket);
        drop(held);
        folder.sync_change(&folder.layout.leaf_of(key))
    }

    pub(crate) fn renew(&self, ticket: &LockTicket) -> Result<()> {
        let folder = &self.folder;
        let key = &ticket.key;
        let alone = folder.enter(stripe_of(key));
        let stamp = folder.require_lock(folder.state(key, Part::Head)?, ticket)?.stamp;
        let staged = folder.stage_lease(ticket, stamp)?;
        let held = alone.hold(&[&staged])?;
        if folder
            .require_lock(self.settled(&held, key, Part::Head)?, ticket)?
            .stamp
            != stamp
        {
            return Err(Failure::Revoked);
        }
        held.publish(staged, &folder.layout.lease(key))
    }

    /// Returns whether the record still is the one with this version.
    pub(crate) fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool> {
        let (key, _) = found(self.folder.resolve(key, Part::Head)?)?;
        // A disk that is slow to sync what is staged must keep nobody out. But where others come in between, they are
        // kept out: of many threads that touch a session each has its turn. A process may still come in between, and then
        // the step is tried anew.
        let touch = |at_once| self.touch_at(&key, version, deadline, last_active, at_once);
        match touch(false) {
            Err(Failure::Revoked) => touch(true),
            touched => touched,
        }
    }

    /// At once: no thread of this process comes in between from before the record is read.
    fn touch_at(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
        at_once: bool,
    ) -> Result<bool> {
        let folder = &self.folder;
        let alone = at_once.then(|| folder.enter(stripe_of(key)));
        let State::Live(live) = folder.state(key, Part::Whole)? else {
            return Err(Failure::Revoked);
        };
        if live.meta.version != version {
            return Ok(false);
        }
        let mut meta = live.meta.clone();
        meta.touch(deadline, last_active);
        if meta == live.meta {
            return Ok(true);
        }
        let touched = Record::new(meta, live.body.clone());
        let staged = self.stage_record(key, live.stamp, &touched, live.from)?;
        let alone = alone.unwrap_or_else(|| folder.enter(stripe_of(key)));
        let held = alone.hold(&[&staged])?;
        match self.settled(&held, key, Part::Head)? {
            State::Live(now) if now.stamp == live.stamp && now.meta == live.meta => {}
            _ => return Err(Failure::Revoked),
        }
        held.publish(staged, &folder.layout.record(key))?;
        drop(held);
        folder.sync_change(&folder.layout.leaf_of(key))?;
        Ok(true)
    }

    /// Also says which key it was in the end.
    pub(crate) fn destroy(&self, key: &SessionKey) -> Result<(SessionKey, Lookup<()>)> {
        let folder = &self.folder;
        let key = match folder.trace(key) {
            Ok(Resolved::Live(key, _)) => key,
            Ok(Resolved::Superseded) => return Ok((*key, Lookup::Superseded)),
            Ok(Resolved::Missing) => return Ok((*key, Lookup::Missing)),
            // The mark of what was set aside has been seen by whoever destroys; it need not stand any longer.
            Err(Failure::SetAside(key, None)) => key,
            Err(failure) => return Err(failure),
        };
        let path = folder.layout.record(&key);
        let ended = Head {
            key,
            stamp: folder.nonce(),
            kind: Kind::Ended,
        };
        let stripe = stripe_of(&key);
        let stage = || folder.stage(stripe, &encode(&ended, &[]), Some(Timestamp::MIN), true);
        let staged = match folder.make_stripe(stripe).and_then(|()| stage()) {
            Ok(staged) => Some(staged),
            // Logging out must work on a full disk as well. Removing takes no room.
            Err(failure) if failure.is_full() => None,
            Err(failure) => return Err(failure),
        };
        let held = folder.enter(stripe).hold(staged.as_ref().as_slice())?;
        let was = match self.settled(&held, &key, Part::Head) {
            Ok(State::Live(_)) => Lookup::Found(()),
            Err(Failure::SetAside(_, None)) => Lookup::Missing,
            // It has ended or moved on, and is followed anew.
            Ok(_) => return Err(Failure::Revoked),
            Err(failure) => return Err(failure),
        };
        // First the mark, which is fenced like every change: a file that is merely removed might be another by then.
        match staged {
            Some(staged) => {
                held.publish(staged, &path)?;
                // From here on the session is gone. What fails is tidied up by a sweeper.
                let _ = folder.disk.remove(&path);
            }
            None => {
                folder.disk.remove(&path).doing("remove a record")?;
            }
        }
        let _ = folder.remove_lease(&key);
        drop(held);
        folder.sync_change(&folder.layout.leaf_of(&key))?;
        Ok((key, was))
    }

    /// What stands under a key, for those who keep everyone else out and are about to change it. A record that has
    /// just arrived by rotation gets its final name first.
    pub(crate) fn settled(&self, _held: &Held<'_>, key: &SessionKey, part: Part) -> Result<State> {
        let folder = &self.folder;
        let path = folder.layout.record(key);
        if let Some(entry) = folder.load(&path, key, part)? {
            return interpret(entry, folder.now());
        }
        let Some(entry) = folder.find(key, part)? else {
            return Ok(State::Missing);
        };
        folder
            .disk
            .rename(&folder.layout.moving(key), &path)
            .map_err(|error| folder.explain(error, "move in"))?;
        interpret(entry, folder.now())
    }

    /// Removes what is left under a key that is missing.
    pub(crate) fn clear(&self, held: &Held<'_>, key: &SessionKey) -> Result<()> {
        let path = self.folder.layout.record(key);
        if let Some(entry) = self.folder.load(&path, key, Part::Head)? {
            self.let_go(held, &entry.head)?;
            self.folder.disk.remove(&path).doing("remove a record")?;
        }
        Ok(())
    }

    /// The record a lock was taken on, if its holder still has it: for those who keep everyone else out.
    pub(crate) fn require_lock(&self, held: &Held<'_>, ticket: &LockTicket) -> Result<Live> {
        let state = self.settled(held, &ticket.key, Part::Head)?;
        self.folder.require_lock(state, ticket)
    }

    /// The same for those who keep nobody out: it may no longer be so in the next moment. Who is refused anyway need
    /// not write first.
    pub(crate) fn expect_lock(&self, ticket: &LockTicket) -> Result<Live> {
        let state = self.folder.state(&ticket.key, Part::Head)?;
        match self.folder.require_lock(state, ticket) {
            // Or the session has just ended, and its lock with it.
            Err(Failure::Refused(StorageErrorKind::LockLost)) => {
                self.require_lock(&self.folder.enter(stripe_of(&ticket.key)).hold(&[])?, ticket)
            }
            expected => expected,
        }
    }

    pub(crate) fn stage_record(
        &self,
        key: &SessionKey,
        stamp: Nonce,
        record: &Record,
        from: Option<Origin>,
    ) -> Result<Staged<'_>> {
        self.folder.make_leaf(key)?;
        let date = record.meta.deadline.unwrap_or(Timestamp::MAX);
        let kind = Kind::Record {
            meta: record.meta.clone(),
            from,
        };
        let bytes = encode(&Head { key: *key, stamp, kind }, &record.payload);
        self.folder.stage(stripe_of(key), &bytes, Some(date), true)
    }
}

impl Live {
    fn into_record(self) -> Record {
        Record::new(self.meta, self.body)
    }
}

fn found(resolved: Resolved) -> Result<(SessionKey, Live)> {
    match resolved {
        Resolved::Live(key, live) => Ok((key, live)),
        Resolved::Superseded => Err(Failure::Refused(StorageErrorKind::Superseded)),
        Resolved::Missing => Err(Failure::Refused(StorageErrorKind::Gone)),
    }
}
