//! Writing without a lock, in the place of the record that was read.

use sessile_core::{Meta, Record, SessionKey, StorageErrorKind};

use crate::failure::{Failure, Result};
use crate::files::Files;
use crate::folder::layout::stripe_of;
use crate::folder::leases::Tenure;
use crate::folder::lookup::{Live, Part, State};

impl Files {
    /// Returns whether the record was replaced. It takes the way of every change: what stands is looked at again when
    /// everyone else has been kept out, and so is the lock.
    pub(crate) fn replace(&self, key: &SessionKey, known: &Meta, record: &Record) -> Result<bool> {
        let folder = &self.folder;
        // A write that comes too late anyway is not prepared.
        let Some(live) = self.replaceable(folder.state(key, Part::Head)?, key, known)? else {
            return Ok(false);
        };
        // Where a session came from stays the same for ever.
        let staged = self.stage_record(key, folder.nonce(), record, live.from)?;
        let held = folder.enter(stripe_of(key)).hold(&[&staged])?;
        let now = self.settled(&held, key, Part::Head)?;
        if self
            .replaceable(now, key, known)?
            .is_none_or(|now| now.stamp != live.stamp)
        {
            return Ok(false);
        }
        // The new stamp ends what is left of a lease that is over: its holder is refused, however late.
        held.publish(staged, &folder.layout.record(key))?;
        drop(held);
        folder.sync_change(&folder.layout.leaf_of(key))?;
        Ok(true)
    }

    /// Returns the file under the key, if it is the one that was read and nobody holds its lock.
    fn replaceable(&self, state: State, key: &SessionKey, known: &Meta) -> Result<Option<Live>> {
        let live = match state {
            State::Live(live) => live,
            // An alias leads to another record than the one that was read.
            State::Alias(_) => return Ok(None),
            State::Superseded(_) => return Err(Failure::Refused(StorageErrorKind::Superseded)),
            State::Missing => return Err(Failure::Refused(StorageErrorKind::Gone)),
        };
        let is_free = self.folder.tenure(key, live.stamp)? == Tenure::Free;
        Ok((live.meta == *known && is_free).then_some(live))
    }
}
