//! Rotation: moving a session to a new key, atomically.
//!
//! The new record is first written under a name at which it is invalid. Replacing the old record by a mark that points
//! to the new one commits the rotation: from then on the new record is valid. The next operation on the new key gives
//! it its final name.

use std::time::Duration;

use sessile_core::{LockId, Record, SessionKey, StorageErrorKind};

use crate::failure::{Failure, Result};
use crate::files::Files;
use crate::folder::format::{Kind, Nonce, Origin, encode_header};
use crate::folder::layout::stripe_of;
use crate::folder::lookup::{KeyState, Part, interpret};
use crate::folder::stripes::StripeGuard;

impl Files {
    pub(crate) fn rotate(&self, lock_id: &LockId, new: &SessionKey, record: &Record, grace: Duration) -> Result<()> {
        let folder = &self.folder;
        let tree = &folder.tree;
        let old = &lock_id.key;
        let stripe = stripe_of(old);
        if stripe != stripe_of(new) {
            return Err(Failure::Refused(StorageErrorKind::Unsupported));
        }
        self.expect_lock(lock_id)?;
        let stamp = folder.nonce();
        let origin = Origin {
            key: *old,
            owner: tree.instance.id,
        };
        let incoming = self.write_incoming(new, stamp, record, origin)?;

        let alias_until = folder.clocks.now() + grace;
        let until = alias_until + self.tombstone_ttl;
        let kind = Kind::Moved {
            to: *new,
            alias_until,
            until,
        };
        let mark = encode_header(old, stamp, kind);
        tree.make_leaf(old)?;
        let staged = tree.stage(stripe, &mark, Some(until), true)?;
        let guard = folder.lock_stripe(stripe, &[&staged])?;
        self.require_lock(&guard, lock_id)?;
        self.require_free(&guard, new)?;
        incoming.require_present()?;
        guard.publish(staged, &tree.layout.record(old))?;
        // The rotation is committed: the record must stay, whatever fails from here on.
        incoming.disarm();
        let _ = folder.remove_lease(old);
        drop(guard);
        // Sync the mark before the new record gets the final name, under which it no longer shows that it needs the
        // mark.
        tree.sync_change(old)?;
        // This fails if another process has renamed it already.
        let _ = tree.disk.rename(&tree.layout.moving(new), &tree.layout.record(new));
        Ok(())
    }

    /// Writes the new record under a name at which it is not valid yet, and syncs it.
    fn write_incoming<'a>(
        &'a self,
        key: &'a SessionKey,
        stamp: Nonce,
        record: &Record,
        from: Origin,
    ) -> Result<IncomingRecord<'a>> {
        let tree = &self.folder.tree;
        let staged = self.stage_record(key, stamp, record, Some(from))?;
        let moving = tree.layout.moving(key);
        tree.disk
            .rename(&staged.path, &moving)
            .map_err(|error| tree.explain(error, "move a record"))?;
        staged.disarm();
        let incoming = IncomingRecord {
            files: self,
            key,
            stamp,
            from,
            armed: true,
        };
        tree.sync(&tree.layout.leaf_of(key))?;
        Ok(incoming)
    }

    /// Fails unless the new key is free.
    fn require_free(&self, guard: &StripeGuard<'_>, key: &SessionKey) -> Result<()> {
        let folder = &self.folder;
        let path = folder.tree.layout.record(key);
        if let Some(contents) = folder.load(&path, key, Part::Header)?
            && !matches!(interpret(contents, folder.clocks.now())?, KeyState::Missing)
        {
            return Err(Failure::Refused(StorageErrorKind::Exists));
        }
        folder.remove_leftover(guard, key)
    }
}

/// A new record that is not valid yet. Dropping it removes the record, unless the rotation has been committed.
struct IncomingRecord<'a> {
    files: &'a Files,
    key: &'a SessionKey,
    stamp: Nonce,
    from: Origin,
    armed: bool,
}

impl IncomingRecord<'_> {
    /// Fails if another process has removed the record as abandoned.
    fn require_present(&self) -> Result<()> {
        let folder = &self.files.folder;
        match folder.load(&folder.tree.layout.moving(self.key), self.key, Part::Header)? {
            Some(contents) if contents.header.stamp == self.stamp => Ok(()),
            _ => Err(Failure::Revoked),
        }
    }

    fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for IncomingRecord<'_> {
    fn drop(&mut self) {
        let folder = &self.files.folder;
        // After a disk error the mark may have been published all the same. Then the record is valid and stays.
        if self.armed && matches!(folder.points_to(&self.from.key, self.key, self.stamp), Ok(false)) {
            let _ = folder.tree.disk.remove(&folder.tree.layout.moving(self.key));
        }
    }
}
