//! [`Files`]: the blocking half of [`FileStorage`](crate::FileStorage), each operation as system calls.
//!
//! All operations that change something take the same steps: stage the new file, lock the stripe, read the state again,
//! publish the staged file. `PROTOCOL.md` explains why that is correct.

mod destroy;
mod orphans;
pub(crate) mod position;
pub(crate) mod quarantine;
mod replace;
mod rotate;
mod scan;
pub(crate) mod sweep;
mod touch;

use std::time::Duration;

use sessile_core::{LockId, LockToken, Lookup, Record, SessionKey, StorageErrorKind, Stored, Timestamp};

use self::quarantine::Quarantine;
use crate::failure::{Failure, Result};
use crate::folder::Folder;
use crate::folder::format::{Header, Kind, Nonce, Origin, encode};
use crate::folder::layout::stripe_of;
use crate::folder::leases::HeldLease;
use crate::folder::lookup::{KeyState, LiveRecord, Part};
use crate::folder::stage::Staged;
use crate::folder::stripes::StripeGuard;

/// The sessions in a folder.
pub(crate) struct Files {
    pub(crate) folder: Folder,
    pub(crate) tombstone_ttl: Duration,
    pub(crate) quarantine: Quarantine,
}

/// The result of an attempt to take a lock.
pub(crate) enum TryLock {
    Done(Lookup<Record>),
    Held(HeldLease),
    /// The key is an alias of this one.
    Alias(SessionKey),
}

impl Files {
    /// Runs an operation again as long as other processes interrupt it, and quarantines corrupt files that it finds.
    pub(crate) fn with_retries<T>(&self, operation: impl Fn(&Self) -> Result<T>) -> Result<T> {
        self.folder.with_retries(|| match operation(self) {
            Err(Failure::Corrupt(file)) => Err(self.quarantine.isolate(&self.folder, file)),
            result => result,
        })
    }

    pub(crate) fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>> {
        let found = self.folder.resolve(key, Part::Whole)?;
        Ok(found.map(|(key, live)| Stored::new(key, Record::new(live.meta, live.payload))))
    }

    /// Returns the key under which a session can be locked.
    pub(crate) fn locate(&self, key: &SessionKey) -> Result<Lookup<SessionKey>> {
        Ok(self.folder.resolve(key, Part::Header)?.map(|(key, _)| key))
    }

    pub(crate) fn create(&self, key: &SessionKey, record: &Record) -> Result<()> {
        let folder = &self.folder;
        let staged = self.stage_record(key, folder.nonce(), record, None)?;
        let guard = folder.lock_stripe(stripe_of(key), &[&staged])?;
        if !matches!(folder.finalize_move(&guard, key, Part::Header)?, KeyState::Missing) {
            return Err(Failure::Refused(StorageErrorKind::Exists));
        }
        folder.remove_leftover(&guard, key)?;
        self.publish_record(guard, staged, key)
    }

    pub(crate) fn try_lock(&self, key: &SessionKey, token: LockToken) -> Result<TryLock> {
        let folder = &self.folder;
        let stamp = match folder.state(key, Part::Header)? {
            KeyState::Live(live) => live.stamp,
            KeyState::Alias(to) => return Ok(TryLock::Alias(to)),
            KeyState::Superseded(_) => return Ok(TryLock::Done(Lookup::Superseded)),
            KeyState::Missing => return Ok(TryLock::Done(Lookup::Missing)),
        };
        // Check without the stripe first, so that waiters do not slow down the holder.
        if let Some(lease) = folder.held_lease(key, stamp)? {
            return Ok(TryLock::Held(lease));
        }
        let KeyState::Live(live) = folder.state(key, Part::Whole)? else {
            return Err(Failure::Revoked);
        };
        let lock_id = LockId::new(*key, token);
        let threads = folder.lock_threads(stripe_of(key));
        let staged = folder.stage_lease(&lock_id, stamp)?;
        let guard = threads.lock_processes(&[&staged])?;
        // The same stamp means the same payload. The metadata may have been touched since, so take the current one.
        let meta = match folder.finalize_move(&guard, key, Part::Header)? {
            KeyState::Live(now) if now.stamp == stamp && live.stamp == stamp => now.meta,
            _ => return Err(Failure::Revoked),
        };
        if let Some(lease) = folder.held_lease(key, stamp)? {
            return Ok(TryLock::Held(lease));
        }
        guard.publish(staged, &folder.tree.layout.lease(key))?;
        Ok(TryLock::Done(Lookup::Found(Record::new(meta, live.payload))))
    }

    pub(crate) fn commit(&self, lock_id: &LockId, record: &Record) -> Result<()> {
        let folder = &self.folder;
        let key = &lock_id.key;
        // The origin of a record never changes.
        let from = self.expect_lock(lock_id)?.from;
        let staged = self.stage_record(key, folder.nonce(), record, from)?;
        let guard = folder.lock_stripe(stripe_of(key), &[&staged])?;
        self.require_lock(&guard, lock_id)?;
        guard.publish(staged, &folder.tree.layout.record(key))?;
        // The new stamp has ended the lease. Removing its file is optional.
        let _ = folder.remove_lease_of(&guard, lock_id);
        drop(guard);
        folder.tree.sync_change(key)
    }

    pub(crate) fn renew(&self, lock_id: &LockId) -> Result<()> {
        let folder = &self.folder;
        let key = &lock_id.key;
        let threads = folder.lock_threads(stripe_of(key));
        let stamp = folder.require_lock(folder.state(key, Part::Header)?, lock_id)?.stamp;
        let staged = folder.stage_lease(lock_id, stamp)?;
        let guard = threads.lock_processes(&[&staged])?;
        if self.require_lock(&guard, lock_id)?.stamp != stamp {
            return Err(Failure::Revoked);
        }
        guard.publish(staged, &folder.tree.layout.lease(key))
    }

    /// Returns the record whose lock the lock id holds, to the holder of the stripe.
    fn require_lock(&self, guard: &StripeGuard<'_>, lock_id: &LockId) -> Result<LiveRecord> {
        let state = self.folder.finalize_move(guard, &lock_id.key, Part::Header)?;
        self.folder.require_lock(state, lock_id)
    }

    /// Like [`require_lock`](Self::require_lock), without holding the stripe.
    ///
    /// The result may be outdated at once. The check spares an operation that is refused anyway from staging a file.
    fn expect_lock(&self, lock_id: &LockId) -> Result<LiveRecord> {
        let state = self.folder.state(&lock_id.key, Part::Header)?;
        match self.folder.require_lock(state, lock_id) {
            // The session may have ended between the two reads, and its lock with it. Holding the stripe tells.
            Err(Failure::Refused(StorageErrorKind::LockLost)) => {
                self.require_lock(&self.folder.lock_stripe(stripe_of(&lock_id.key), &[])?, lock_id)
            }
            result => result,
        }
    }

    /// Stages a record with its deadline as date.
    fn stage_record(
        &self,
        key: &SessionKey,
        stamp: Nonce,
        record: &Record,
        from: Option<Origin>,
    ) -> Result<Staged<'_>> {
        self.folder.tree.make_leaf(key)?;
        let date = record.meta.deadline.unwrap_or(Timestamp::MAX);
        let kind = Kind::Record {
            meta: record.meta.clone(),
            from,
        };
        let bytes = encode(&Header { key: *key, stamp, kind }, &record.payload);
        self.folder.tree.stage(stripe_of(key), &bytes, Some(date), true)
    }

    /// Publishes a record, releases the stripe and syncs the change.
    fn publish_record(&self, guard: StripeGuard<'_>, staged: Staged<'_>, key: &SessionKey) -> Result<()> {
        let tree = &self.folder.tree;
        guard.publish(staged, &tree.layout.record(key))?;
        // Sync without the stripe: a slow disk must not delay others.
        drop(guard);
        tree.sync_change(key)
    }
}
