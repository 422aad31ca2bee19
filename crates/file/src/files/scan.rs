//! Listing sessions, a bounded slice at a time.

use std::collections::BTreeSet;
use std::ffi::OsString;

use sessile_core::{SessionHead, SessionKey, StorageErrorKind};

use crate::failure::{Context, Failure, Result};
use crate::files::Files;
use crate::files::position::{Position, SLICE};
use crate::folder::disk::list;
use crate::folder::layout::{MOVING, key_of, leaf_of, name_of, stripe_of};
use crate::folder::lookup::{KeyState, Part};

/// The sessions in a slice of a scan.
pub(crate) struct ScanSlice {
    pub(crate) found: Vec<SessionHead>,
    /// The start of the next slice, or `None` at the end.
    pub(crate) next: Option<Position>,
}

/// The keys in a leaf.
#[derive(Default)]
pub(crate) struct LeafKeys {
    pub(crate) records: BTreeSet<SessionKey>,
    /// Keys for which a rotation has written a record.
    pub(crate) incoming: BTreeSet<SessionKey>,
}

impl Files {
    /// Lists live sessions from a position on, until `limit` are found or a slice has been examined.
    pub(crate) fn scan(&self, from: &Position, limit: usize) -> Result<ScanSlice> {
        let mut found = Vec::new();
        let mut examined = 0;
        let mut next = Some(from.clone());
        while let Some(mut at) = next {
            for leaf in self.leaves(at.stripe)?.range(at.leaf..) {
                at.advance_to_leaf(*leaf);
                if examined >= SLICE {
                    return Ok(ScanSlice { found, next: Some(at) });
                }
                let LeafKeys { records, incoming } = self.keys_in_leaf(&at, false)?;
                for key in records.union(&incoming) {
                    if found.len() >= limit || examined >= SLICE {
                        return Ok(ScanSlice { found, next: Some(at) });
                    }
                    found.extend(self.list_session(key)?);
                    at.advance_past(name_of(key));
                    examined += 1;
                }
                examined += 1;
            }
            examined += 1;
            next = at.next_stripe();
        }
        self.folder.tree.check()?;
        Ok(ScanSlice { found, next: None })
    }

    /// Returns the entry of a session in a scan, if it is live.
    ///
    /// Corrupt and unreadable sessions are left out: an operation on one of them reports the error, and the others must
    /// be listed all the same.
    fn list_session(&self, key: &SessionKey) -> Result<Option<SessionHead>> {
        match self.folder.state(key, Part::Header) {
            Ok(KeyState::Live(live)) => {
                let mut head = SessionHead::new(*key, live.meta);
                head.payload_len = usize::try_from(live.payload_len).ok();
                Ok(Some(head))
            }
            Ok(_) | Err(Failure::Corrupt(_) | Failure::Quarantined(..)) => Ok(None),
            Err(failure) if failure.kind() == StorageErrorKind::Denied => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Returns the leaves of a stripe.
    pub(crate) fn leaves(&self, stripe: u8) -> Result<BTreeSet<u8>> {
        let names = list(&self.folder.tree.layout.stripe(stripe)).context("list sessions")?;
        let leaf = |name: OsString| {
            name.to_str()
                .filter(|name| name.len() == 2)
                .map(|name| u8::from_str_radix(name, 16))
        };
        Ok(names.into_iter().filter_map(leaf).flatten().collect())
    }

    /// Returns the keys in a leaf that come after a position, in order.
    ///
    /// A sweep quarantines files with other names.
    pub(crate) fn keys_in_leaf(&self, at: &Position, sweeping: bool) -> Result<LeafKeys> {
        let folder = &self.folder;
        let leaf = folder.tree.layout.leaf(at.stripe, at.leaf);
        // A file system may skip a name that is replaced while the folder is listed. A scan therefore holds the stripe;
        // a sweep does not, because the next sweep finds the file.
        let guard = (!sweeping).then(|| folder.lock_stripe(at.stripe, &[]));
        let guard = guard.transpose()?;
        let names = list(&leaf).context("list sessions")?;
        drop(guard);
        let mut keys = LeafKeys::default();
        for name in &names {
            let text = name.to_str().unwrap_or_default();
            let (plain, set) = match text.strip_suffix(MOVING) {
                Some(plain) => (plain, &mut keys.incoming),
                None => (text, &mut keys.records),
            };
            match key_of(plain) {
                Some(key) if stripe_of(&key) == at.stripe && leaf_of(&key) == at.leaf => {
                    set.insert(key);
                }
                _ if sweeping => self.quarantine.isolate_foreign(folder, &leaf.join(name)),
                _ => {}
            }
        }
        for set in [&mut keys.records, &mut keys.incoming] {
            set.retain(|key| name_of(key) > at.after);
        }
        Ok(keys)
    }
}
