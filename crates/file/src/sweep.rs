//! Removing what is over, and what dead processes left.

use std::path::Path;
use std::time::{Duration, SystemTime};

use sessile_core::{Record, SessionKey, Stored, Timestamp};

use crate::failure::{Doing, Failure, Result};
use crate::files::Files;
use crate::format::Kind;
use crate::instance::is_open;
use crate::layout::{hex, stripe_of};
use crate::lookup::{Part, State, interpret};
use crate::walk::{Position, Slice};

/// Dates of files may be as coarse as this.
const COARSE: Duration = Duration::from_secs(2);

impl Files {
    /// Removes what has expired. What cannot be removed does not keep the rest from being swept: the answer is the first
    /// trouble there was, beside what was removed.
    pub(crate) fn sweep(&self, from: &Position, limit: usize) -> Result<(Slice<Stored>, Result<()>)> {
        let mut outcome = Ok(());
        let slice = self.walk(from, limit, true, |key, found| {
            match self.take_step(|files| files.remove_if_over(key)) {
                Ok(removed) => found.extend(removed),
                // It has been set aside and reported, or it is of a later version.
                Err(Failure::Flawed(_) | Failure::SetAside(..)) => {}
                Err(failure) if outcome.is_ok() => outcome = Err(failure),
                Err(_) => {}
            }
            Ok(())
        })?;
        Ok((slice, outcome))
    }

    /// Removes what stands under a key if it is over, and returns it if it was a session.
    fn remove_if_over(&self, key: &SessionKey) -> Result<Option<Stored>> {
        let folder = &self.folder;
        let path = folder.layout.record(key);
        let now = folder.now();
        if !may_be_over(&path, now) {
            return self.remove_stray(key).map(|()| None);
        }
        let Some(entry) = folder.load(&path, key, Part::Head)? else {
            return self.remove_stray(key).map(|()| None);
        };
        if !is_over(interpret(entry, now)) {
            return Ok(None);
        }
        let held = folder.enter(stripe_of(key)).hold(&[])?;
        let Some(entry) = folder.load(&path, key, Part::Whole)? else {
            return Ok(None);
        };
        if !is_over(interpret(entry.clone(), now)) {
            return Ok(None);
        }
        self.let_go(&held, &entry.head)?;
        let removed = folder.disk.remove(&path).doing("remove a record")?;
        folder.remove_lease(key)?;
        Ok(match entry.head.kind {
            Kind::Record { meta, .. } if removed => Some(Stored::new(*key, Record::new(meta, entry.body))),
            _ => None,
        })
    }

    /// Removes or moves in a record that was arriving by rotation when its process died.
    fn remove_stray(&self, key: &SessionKey) -> Result<()> {
        let folder = &self.folder;
        let moving = folder.layout.moving(key);
        let Some(entry) = folder.load(&moving, key, Part::Head)? else {
            return Ok(());
        };
        let Kind::Record { from: Some(origin), .. } = entry.head.kind else {
            return Ok(());
        };
        if is_open(&folder.layout, &hex(&origin.owner)) {
            return Ok(());
        }
        // Its owner is dead: if nothing points to it now, nothing ever will.
        if folder.points_to(&origin.key, key, entry.head.stamp)? {
            let held = folder.enter(stripe_of(key)).hold(&[])?;
            self.settled(&held, key, Part::Head).map(drop)
        } else {
            folder.disk.remove(&moving).doing("remove an unfinished file").map(drop)
        }
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

fn is_over(state: Result<State>) -> bool {
    matches!(state, Ok(State::Missing))
}

/// Whether the date of a file allows for it to be over: files are dated to the moment at which they are.
fn may_be_over(path: &Path, now: Timestamp) -> bool {
    let Ok(date) = std::fs::symlink_metadata(path).and_then(|metadata| metadata.modified()) else {
        return true;
    };
    date <= SystemTime::UNIX_EPOCH + Duration::from_millis(now.as_millis()) + COARSE
}
