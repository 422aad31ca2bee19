//! Replacing a record without its lock, if it is still the record that was read.

use sessile_core::{Meta, Record, SessionKey, StorageErrorKind};

use crate::failure::{Failure, Result};
use crate::files::Files;
use crate::folder::layout::stripe_of;
use crate::folder::lookup::{KeyState, LiveRecord, Part};

impl Files {
    /// Replaces a record, and returns whether it was replaced.
    ///
    /// As in every change, the record and its lock are checked again once all others are excluded.
    pub(crate) fn replace(&self, key: &SessionKey, known: &Meta, record: &Record) -> Result<bool> {
        let folder = &self.folder;
        // Do not stage a file for a replacement that is already refused.
        let Some(live) = self.replaceable(folder.state(key, Part::Header)?, key, known)? else {
            return Ok(false);
        };
        // The origin of a record never changes.
        let staged = self.stage_record(key, folder.nonce(), record, live.from)?;
        let guard = folder.lock_stripe(stripe_of(key), &[&staged])?;
        let now = folder.finalize_move(&guard, key, Part::Header)?;
        if self
            .replaceable(now, key, known)?
            .is_none_or(|now| now.stamp != live.stamp)
        {
            return Ok(false);
        }
        // The new stamp invalidates a lease that has run out, so its holder is refused however late it commits.
        self.publish_record(guard, staged, key)?;
        Ok(true)
    }

    /// Returns the record under the key if it is the one that was read and its lock is free.
    fn replaceable(&self, state: KeyState, key: &SessionKey, known: &Meta) -> Result<Option<LiveRecord>> {
        let live = match state {
            KeyState::Live(live) => live,
            // An alias leads to another record than the one that was read.
            KeyState::Alias(_) => return Ok(None),
            KeyState::Superseded(_) => return Err(Failure::Refused(StorageErrorKind::Superseded)),
            KeyState::Missing => return Err(Failure::Refused(StorageErrorKind::Gone)),
        };
        let is_free = self.folder.held_lease(key, live.stamp)?.is_none();
        Ok((live.meta == *known && is_free).then_some(live))
    }
}
