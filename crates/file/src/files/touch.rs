//! Touching: writing new times to a record without its lock.

use sessile_core::{Lookup, Record, SessionKey, StorageErrorKind, Timestamp};

use crate::failure::{Failure, Result};
use crate::files::Files;
use crate::folder::layout::stripe_of;
use crate::folder::lookup::{KeyState, Part};

impl Files {
    /// Returns whether the record still has this version.
    pub(crate) fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool> {
        let key = match self.locate(key)? {
            Lookup::Found(key) => key,
            Lookup::Superseded => return Err(Failure::Refused(StorageErrorKind::Superseded)),
            Lookup::Missing => return Err(Failure::Refused(StorageErrorKind::Gone)),
        };
        // The first attempt excludes no other thread while the disk syncs the staged file. If a thread of this process
        // interrupts it, the second attempt excludes the others from the start, so that each of many threads that touch
        // a session succeeds. Another process may still interrupt it, and then the operation is retried.
        let touch = |exclusive| self.touch_at(&key, version, deadline, last_active, exclusive);
        match touch(false) {
            Err(Failure::Revoked) => touch(true),
            touched => touched,
        }
    }

    /// `exclusive` excludes the other threads of this process from before the record is read.
    fn touch_at(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
        exclusive: bool,
    ) -> Result<bool> {
        let folder = &self.folder;
        let threads = exclusive.then(|| folder.lock_threads(stripe_of(key)));
        let KeyState::Live(live) = folder.state(key, Part::Whole)? else {
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
        let touched = Record::new(meta, live.payload.clone());
        // The stamp stays the same, so a lock on the record stays valid.
        let staged = self.stage_record(key, live.stamp, &touched, live.from)?;
        let threads = threads.unwrap_or_else(|| folder.lock_threads(stripe_of(key)));
        let guard = threads.lock_processes(&[&staged])?;
        match folder.finalize_move(&guard, key, Part::Header)? {
            KeyState::Live(now) if now.stamp == live.stamp && now.meta == live.meta => {}
            _ => return Err(Failure::Revoked),
        }
        self.publish_record(guard, staged, key)?;
        Ok(true)
    }
}
