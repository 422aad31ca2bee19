//! The second half of a rotation: giving a new record its final name.
//!
//! A rotation writes the new record under `<name>.moving`, where it is invalid until the mark under the old key points
//! to it. Publishing the mark commits the rotation. The functions here complete a rotation that was interrupted after
//! that, and ensure that the record no longer depends on the mark before the mark is removed.

use sessile_core::SessionKey;

use crate::failure::{Context, Result};
use crate::folder::Folder;
use crate::folder::disk::identify;
use crate::folder::format::{Header, Kind};
use crate::folder::lookup::{KeyState, Part, interpret};
use crate::folder::stripes::StripeGuard;

impl Folder {
    /// Returns the state of a key to the holder of its stripe, and finalizes a committed move to the key first.
    pub(crate) fn finalize_move(&self, _guard: &StripeGuard<'_>, key: &SessionKey, part: Part) -> Result<KeyState> {
        let path = self.tree.layout.record(key);
        if let Some(contents) = self.load(&path, key, part)? {
            return interpret(contents, self.clocks.now());
        }
        let Some(contents) = self.find(key, part)? else {
            return Ok(KeyState::Missing);
        };
        self.tree
            .disk
            .rename(&self.tree.layout.moving(key), &path)
            .map_err(|error| self.tree.explain(error, "move in"))?;
        interpret(contents, self.clocks.now())
    }

    /// Gives the record to which a mark points its final name, durably, so that the mark can be removed.
    ///
    /// A power cut could otherwise bring back `<name>.moving` without the mark that makes it valid.
    pub(crate) fn promote_successor(&self, _guard: &StripeGuard<'_>, mark: &Header) -> Result<()> {
        let Kind::Moved { to, .. } = &mark.kind else {
            return Ok(());
        };
        let layout = &self.tree.layout;
        let moving = layout.moving(to);
        let leaf = layout.leaf_of(to);
        let incoming = self.load(&moving, to, Part::Header)?;
        if incoming.is_none() && identify(&leaf).context("find a record")?.is_none() {
            return Ok(()); // Without its folder there is no record to keep.
        }
        if incoming.is_some_and(|incoming| incoming.header.stamp == mark.stamp) {
            self.tree
                .disk
                .rename(&moving, &layout.record(to))
                .context("move a record in")?;
        }
        self.tree.sync(&leaf)
    }

    /// Removes the file that is left under a key whose session is missing.
    pub(crate) fn remove_leftover(&self, guard: &StripeGuard<'_>, key: &SessionKey) -> Result<()> {
        let path = self.tree.layout.record(key);
        if let Some(contents) = self.load(&path, key, Part::Header)? {
            self.promote_successor(guard, &contents.header)?;
            self.tree.disk.remove(&path).context("remove a record")?;
        }
        Ok(())
    }
}
