//! Files that dead processes left, which a sweep finds on its way.

use sessile_core::SessionKey;

use crate::failure::{Doing, Failure, Result};
use crate::files::Files;
use crate::folder::format::Kind;
use crate::folder::instance::is_open;
use crate::folder::layout::{hex, stripe_of};
use crate::folder::lookup::{Part, State};

impl Files {
    /// Removes or moves in a record that was arriving by rotation when its process died.
    pub(crate) fn remove_stray(&self, key: &SessionKey) -> Result<()> {
        let folder = &self.folder;
        let moving = folder.layout.moving(key);
        let Some(entry) = folder.load(&moving, key, Part::Head)? else {
            return Ok(());
        };
        let Kind::Record { from: Some(origin), .. } = entry.head.kind else {
            return Ok(());
        };
        let is_dead = || !is_open(&folder.layout, &hex(&origin.owner));
        if !is_dead() {
            return Ok(());
        }
        let held = folder.enter(stripe_of(key)).hold(&[])?;
        if folder.points_to(&origin.key, key, entry.head.stamp)? {
            return self.settled(&held, key, Part::Head).map(drop);
        }
        // Nothing points to it, and nothing can while others are kept out: it was not dead only in appearance.
        if is_dead() {
            folder.disk.remove(&moving).doing("remove an unfinished file")?;
        }
        Ok(())
    }

    /// Removes leases that no longer hold anything.
    pub(crate) fn tidy_leases(&self, stripe: u8) -> Result<()> {
        let folder = &self.folder;
        let foreign = folder.tidy_leases(stripe, |key| match folder.state(key, Part::Head) {
            Ok(State::Live(live)) => Ok(Some(live.stamp)),
            Ok(_) | Err(Failure::Flawed(_) | Failure::SetAside(..)) => Ok(None),
            Err(failure) => Err(failure),
        })?;
        foreign.iter().for_each(|path| self.remove_foreign(path));
        Ok(())
    }
}
