//! Leases: one small file for each lock that is held.
//!
//! A lease contains the stamp of the record for which it was taken. The holder's commit gives the record a new stamp
//! and thereby ends the lease, whether its file has been removed yet or not. Leases are not synced, because no holder
//! survives a power cut. A corrupt lease counts as none, and its holder is refused.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use sessile_core::{LockId, LockToken, SessionKey, StorageErrorKind, Timestamp};

use crate::failure::{Context, Failure, Result};
use crate::folder::Folder;
use crate::folder::disk::{is_unreadable, list, open, read_up_to};
use crate::folder::format::{HEADER_LEN, Header, Kind, Nonce, decode_header, encode_header};
use crate::folder::instance::is_open;
use crate::folder::layout::{hex, key_of, stripe_of};
use crate::folder::lookup::{KeyState, LiveRecord};
use crate::folder::stage::Staged;
use crate::folder::stripes::StripeGuard;

/// A lease that is running: the lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeldLease {
    /// The holder is this open storage, which is notified when the lock is released.
    pub(crate) is_local: bool,
    /// The time until the lease ends, unless it is renewed.
    pub(crate) remaining: Duration,
    /// Other storages are open on the folder, and may be waiting for the lock.
    pub(crate) is_folder_shared: bool,
}

/// The contents of a lease file.
struct Lease {
    base: Nonce,
    token: LockToken,
    until: Timestamp,
    owner: Nonce,
}

impl Folder {
    /// Returns the lease on the record with the stamp `base`, or `None` if the lock is free.
    pub(crate) fn held_lease(&self, key: &SessionKey, base: Nonce) -> Result<Option<HeldLease>> {
        let lease = self.load_lease(key)?.filter(|lease| lease.base == base);
        Ok(lease.and_then(|lease| self.held(&lease)))
    }

    /// Returns how a lease is held, if it is running and its owner is open.
    fn held(&self, lease: &Lease) -> Option<HeldLease> {
        let now = self.clocks.steady_now();
        // A lease that ends later than any new one was written before the clock was set back.
        if lease.until <= now || lease.until > now + 2 * self.lease {
            return None;
        }
        let is_local = lease.owner == self.tree.instance.id;
        (is_local || is_open(&self.tree.layout, &hex(&lease.owner))).then(|| HeldLease {
            is_local,
            remaining: now.until(lease.until),
            // Other storages are open on this folder, or have died and not been removed yet.
            is_folder_shared: list(&self.tree.layout.instances()).map_or(true, |open| open.len() > 1),
        })
    }

    /// Returns whether the lock id holds the lock on the record with the stamp `base`.
    pub(crate) fn is_holder(&self, lock_id: &LockId, base: Nonce) -> Result<bool> {
        let now = self.clocks.steady_now();
        let lease = self.load_lease(&lock_id.key)?;
        Ok(lease.is_some_and(|lease| lease.base == base && lease.token == lock_id.token && lease.until > now))
    }

    /// Returns the live record of `state` if the lock id holds its lock.
    ///
    /// A lock does not move along with its session.
    pub(crate) fn require_lock(&self, state: KeyState, lock_id: &LockId) -> Result<LiveRecord> {
        let refused = |kind| Err(Failure::Refused(kind));
        match state {
            KeyState::Live(live) if self.is_holder(lock_id, live.stamp)? => Ok(live),
            KeyState::Live(_) | KeyState::Alias(_) => refused(StorageErrorKind::LockLost),
            KeyState::Superseded(_) => refused(StorageErrorKind::Superseded),
            KeyState::Missing => refused(StorageErrorKind::Gone),
        }
    }

    /// Stages a lease that runs from now.
    pub(crate) fn stage_lease(&self, lock_id: &LockId, base: Nonce) -> Result<Staged<'_>> {
        // Others would treat the lock as free if this instance were not registered.
        self.tree.check()?;
        let kind = Kind::Lease {
            token: lock_id.token,
            until: self.clocks.steady_now() + self.lease,
            owner: self.tree.instance.id,
        };
        let lease = encode_header(&lock_id.key, base, kind);
        let stripe = stripe_of(&lock_id.key);
        self.tree.make_stripe(stripe)?;
        self.tree.stage(stripe, &lease, None, false)
    }

    /// Releases a lock if the lock id still holds it.
    pub(crate) fn release(&self, lock_id: &LockId) -> Result<()> {
        if !self.is_leased_to(lock_id)? {
            return Ok(());
        }
        let guard = self.lock_stripe(stripe_of(&lock_id.key), &[])?;
        self.remove_lease_of(&guard, lock_id)
    }

    fn is_leased_to(&self, lock_id: &LockId) -> Result<bool> {
        Ok(self
            .load_lease(&lock_id.key)?
            .is_some_and(|lease| lease.token == lock_id.token))
    }

    /// Removes a lease if the lock id still holds it.
    pub(crate) fn remove_lease_of(&self, _guard: &StripeGuard<'_>, lock_id: &LockId) -> Result<()> {
        if self.is_leased_to(lock_id)? {
            self.remove_lease(&lock_id.key)?;
        }
        Ok(())
    }

    pub(crate) fn remove_lease(&self, key: &SessionKey) -> Result<()> {
        self.tree
            .disk
            .remove(&self.tree.layout.lease(key))
            .context("remove a lease")
            .map(drop)
    }

    /// Removes the leases of a stripe that hold no lock, and returns the paths of foreign files.
    ///
    /// `stamp_of` returns the stamp that the lease of a key must have.
    pub(crate) fn remove_stale_leases(
        &self,
        stripe: u8,
        stamp_of: impl Fn(&SessionKey) -> Result<Option<Nonce>>,
    ) -> Result<Vec<PathBuf>> {
        // A lease that cannot be checked stays, and the others are checked all the same.
        let is_free = |key: &SessionKey| match stamp_of(key) {
            Ok(Some(stamp)) => matches!(self.held_lease(key, stamp), Ok(None)),
            // The session may look expired only because the clock was set. That must not end its lock.
            Ok(None) => {
                let lease = self.load_lease(key);
                lease.is_ok_and(|lease| lease.is_none_or(|lease| self.held(&lease).is_none()))
            }
            Err(_) => false,
        };
        let leases = self.tree.layout.leases(stripe);
        let mut foreign = Vec::new();
        let names = match list(&leases) {
            // Another user owns these leases. An operation that needs one of them fails with `Denied`.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Vec::new(),
            names => names.context("list leases")?,
        };
        for name in names {
            let path = leases.join(&name);
            match name.to_str().and_then(key_of) {
                Some(key) if stripe_of(&key) == stripe && !path.is_dir() => {
                    if is_free(&key) {
                        let _guard = self.lock_stripe(stripe, &[])?;
                        // The lock may have been taken before the stripe was.
                        if is_free(&key) {
                            self.remove_lease(&key)?;
                        }
                    }
                }
                _ => foreign.push(path),
            }
        }
        Ok(foreign)
    }

    /// Reads the lease of a key. A corrupt lease counts as none.
    fn load_lease(&self, key: &SessionKey) -> Result<Option<Lease>> {
        let (file, length) = match open(&self.tree.layout.lease(key)) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_unreadable(&error) => return Ok(None),
            Err(error) => return Err(error).context("read a lease"),
        };
        let bytes = read_up_to(&file, HEADER_LEN as u64).context("read a lease")?;
        Ok(match decode_header(&bytes, length) {
            Ok((
                Header {
                    key: of,
                    stamp,
                    kind: Kind::Lease { token, until, owner },
                },
                _,
            )) if of == *key => Some(Lease {
                base: stamp,
                token,
                until,
                owner,
            }),
            _ => None,
        })
    }
}
