//! Destroying a session.

use sessile_core::{Lookup, SessionKey, StorageErrorKind, Timestamp};

use crate::failure::{Context, Failure, Result};
use crate::files::Files;
use crate::folder::format::{Kind, encode_header};
use crate::folder::layout::stripe_of;
use crate::folder::lookup::{KeyState, Part};

impl Files {
    /// Destroys a session, wherever it has moved, and returns its present key with the result.
    pub(crate) fn destroy(&self, key: &SessionKey) -> Result<(SessionKey, Lookup<()>)> {
        let folder = &self.folder;
        let tree = &folder.tree;
        let key = match folder.trace(key) {
            Ok(Lookup::Found((key, _))) => key,
            Ok(Lookup::Superseded) => return Ok((*key, Lookup::Superseded)),
            Ok(Lookup::Missing) => return Ok((*key, Lookup::Missing)),
            // The mark of a quarantined file has served its purpose once its session is destroyed.
            Err(Failure::Quarantined(key, None)) => key,
            Err(failure) => return Err(failure),
        };
        let path = tree.layout.record(&key);
        let mark = encode_header(&key, folder.nonce(), Kind::Ended);
        let stripe = stripe_of(&key);
        let stage = || tree.stage(stripe, &mark, Some(Timestamp::MIN), true);
        let staged = match tree.make_stripe(stripe).and_then(|()| stage()) {
            Ok(staged) => Some(staged),
            // Destroying must work on a full disk. Removing a file needs no space.
            Err(failure) if failure.kind() == StorageErrorKind::Full => None,
            Err(failure) => return Err(failure),
        };
        let guard = folder.lock_stripe(stripe, staged.as_ref().as_slice())?;
        let was = match folder.finalize_move(&guard, &key, Part::Header) {
            Ok(KeyState::Live(_)) => Lookup::Found(()),
            Err(Failure::Quarantined(_, None)) => Lookup::Missing,
            // The session has ended or moved since; trace it again.
            Ok(_) => return Err(Failure::Revoked),
            Err(failure) => return Err(failure),
        };
        // Publish a mark before removing the file. The mark is fenced as every change is; a plain removal is not, and
        // could remove the file of a later change.
        match staged {
            Some(staged) => {
                guard.publish(staged, &path)?;
                // The session is destroyed. A file that cannot be removed now is removed by a sweep.
                let _ = tree.disk.remove(&path);
            }
            None => {
                tree.disk.remove(&path).context("remove a record")?;
            }
        }
        let _ = folder.remove_lease(&key);
        drop(guard);
        tree.sync_change(&key)?;
        Ok((key, was))
    }
}
