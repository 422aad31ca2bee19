//! Rotation: a session leaves one key and arrives under another, in one step.
//!
//! The new record first arrives under a name at which it does not count. The step itself is the old record's
//! replacement by a mark that points to the new one: from that moment on the new record counts, and gets its final
//! name from whoever comes by first.

use std::time::Duration;

use sessile_core::{LockTicket, Record, SessionKey, StorageErrorKind};

use crate::failure::{Doing, Failure, Result};
use crate::files::Files;
use crate::folder::disk::identify;
use crate::folder::format::{Head, Kind, Nonce, Origin, encode};
use crate::folder::layout::stripe_of;
use crate::folder::lookup::{Part, State, interpret};
use crate::folder::stripes::Held;

impl Files {
    pub(crate) fn rotate(&self, ticket: &LockTicket, new: &SessionKey, record: &Record, grace: Duration) -> Result<()> {
        let folder = &self.folder;
        let old = &ticket.key;
        let stripe = stripe_of(old);
        if stripe != stripe_of(new) {
            return Err(Failure::Refused(StorageErrorKind::Unsupported));
        }
        self.expect_lock(ticket)?;
        let stamp = folder.nonce();
        let origin = Origin {
            key: *old,
            owner: folder.instance.id(),
        };
        let arrived = self.arrive(new, stamp, record, origin)?;

        let alias_until = folder.now() + grace;
        let until = alias_until + self.tombstone;
        let kind = Kind::Moved {
            to: *new,
            alias_until,
            until,
        };
        let moved = encode(&Head { key: *old, stamp, kind }, &[]);
        folder.make_leaf(old)?;
        let staged = folder.stage(stripe, &moved, Some(until), true)?;
        let held = folder.enter(stripe).hold(&[&staged])?;
        self.require_lock(&held, ticket)?;
        self.require_free(&held, new)?;
        arrived.require()?;
        held.publish(staged, &folder.layout.record(old))?;
        arrived.counts();
        let _ = folder.remove_lease(old);
        drop(held);
        // The mark must last before the new record stops being recognisable as one that needs it.
        folder.sync_change(&folder.layout.leaf_of(old))?;
        // If someone else has done so, there is nothing left to do.
        let _ = folder
            .disk
            .rename(&folder.layout.moving(new), &folder.layout.record(new));
        Ok(())
    }

    /// Puts a record where it does not count yet.
    fn arrive<'a>(&'a self, key: &'a SessionKey, stamp: Nonce, record: &Record, from: Origin) -> Result<Arrived<'a>> {
        let folder = &self.folder;
        let staged = self.stage_record(key, stamp, record, Some(from))?;
        let moving = folder.layout.moving(key);
        folder
            .disk
            .rename(&staged.path, &moving)
            .map_err(|error| folder.explain(error, "move a record"))?;
        staged.forget();
        let arrived = Arrived {
            files: self,
            key,
            stamp,
            from,
            counts: false,
        };
        folder.sync(&folder.layout.leaf_of(key))?;
        Ok(arrived)
    }

    /// Makes sure that nothing stands under a new key.
    fn require_free(&self, held: &Held<'_>, key: &SessionKey) -> Result<()> {
        let path = self.folder.layout.record(key);
        if let Some(entry) = self.folder.load(&path, key, Part::Head)?
            && !matches!(interpret(entry, self.folder.now())?, State::Missing)
        {
            return Err(Failure::Refused(StorageErrorKind::Exists));
        }
        self.clear(held, key)
    }

    /// Before the mark of a session that has moved is removed, the record it points to must stand by itself.
    pub(crate) fn let_go(&self, _held: &Held<'_>, head: &Head) -> Result<()> {
        let Kind::Moved { to, .. } = &head.kind else {
            return Ok(());
        };
        let folder = &self.folder;
        let moving = folder.layout.moving(to);
        let leaf = folder.layout.leaf_of(to);
        let arrived = folder.load(&moving, to, Part::Head)?;
        if arrived.is_none() && identify(&leaf).doing("find a record")?.is_none() {
            return Ok(()); // Nothing stands there that would have to last.
        }
        if arrived.is_some_and(|arrived| arrived.head.stamp == head.stamp) {
            folder
                .disk
                .rename(&moving, &folder.layout.record(to))
                .doing("move a record in")?;
        }
        folder.sync(&leaf)
    }
}

/// A record that does not count yet, and goes away if it never does.
struct Arrived<'a> {
    files: &'a Files,
    key: &'a SessionKey,
    stamp: Nonce,
    from: Origin,
    counts: bool,
}

impl Arrived<'_> {
    /// Fails if someone has tidied it away.
    fn require(&self) -> Result<()> {
        let folder = &self.files.folder;
        match folder.load(&folder.layout.moving(self.key), self.key, Part::Head)? {
            Some(entry) if entry.head.stamp == self.stamp => Ok(()),
            _ => Err(Failure::Revoked),
        }
    }

    fn counts(mut self) {
        self.counts = true;
    }
}

impl Drop for Arrived<'_> {
    fn drop(&mut self) {
        let folder = &self.files.folder;
        // After an error of the disk it may count all the same, and then it stays.
        if !self.counts && matches!(folder.points_to(&self.from.key, self.key, self.stamp), Ok(false)) {
            let _ = folder.disk.remove(&folder.layout.moving(self.key));
        }
    }
}
