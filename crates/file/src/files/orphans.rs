//! Files of dead processes that a sweep finds.

use sessile_core::SessionKey;

use crate::failure::{Context, Failure, Result};
use crate::files::Files;
use crate::folder::format::Kind;
use crate::folder::instance::is_open;
use crate::folder::layout::{hex, stripe_of};
use crate::folder::lookup::{KeyState, Part};

impl Files {
    /// Finalizes or removes the new record of a rotation whose process has died.
    pub(crate) fn recover_rotation(&self, key: &SessionKey) -> Result<()> {
        let folder = &self.folder;
        let layout = &folder.tree.layout;
        let moving = layout.moving(key);
        let Some(contents) = folder.load(&moving, key, Part::Header)? else {
            return Ok(());
        };
        let Kind::Record { from: Some(origin), .. } = contents.header.kind else {
            return Ok(());
        };
        let is_dead = || !is_open(layout, &hex(&origin.owner));
        if !is_dead() {
            return Ok(());
        }
        let guard = folder.lock_stripe(stripe_of(key), &[])?;
        if folder.points_to(&origin.key, key, contents.header.stamp)? {
            return folder.finalize_move(&guard, key, Part::Header).map(drop);
        }
        // No mark points to the record, and none can while the stripe is held. Check again whether its process is dead:
        // the file of a live instance may have been missing for a moment.
        if is_dead() {
            folder.tree.disk.remove(&moving).context("remove an unfinished file")?;
        }
        Ok(())
    }

    /// Removes the leases of a stripe that hold no lock, and quarantines foreign files.
    pub(crate) fn remove_stale_leases(&self, stripe: u8) -> Result<()> {
        let folder = &self.folder;
        let foreign = folder.remove_stale_leases(stripe, |key| match folder.state(key, Part::Header) {
            Ok(KeyState::Live(live)) => Ok(Some(live.stamp)),
            Ok(_) | Err(Failure::Corrupt(_) | Failure::Quarantined(..)) => Ok(None),
            Err(failure) => Err(failure),
        })?;
        foreign
            .iter()
            .for_each(|path| self.quarantine.isolate_foreign(folder, path));
        Ok(())
    }
}
