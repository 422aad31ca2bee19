//! The contract between sessions and the storages that keep them.
//!
//! A [`Storage`] keeps [`Record`]s by [`SessionKey`] and grants one exclusive [`Lock`] per session. The trait requires
//! atomic steps over record and lock; [`LockedStore`](crate::LockedStore) makes a storage of a database that has no
//! more than conditional writes.

mod capabilities;
mod client_facts;
mod error;
mod facts;
mod immediate;
mod key_walk;
mod lock;
mod operation;
mod record;
mod replace;
mod scan;
mod usage;
mod watch;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use self::capabilities::Capabilities;
pub use self::client_facts::ClientFacts;
pub use self::error::{StorageError, StorageErrorKind};
pub(crate) use self::facts::Role;
pub use self::facts::{Facts, ParseFactsError};
pub use self::immediate::ImmediateStorage;
pub use self::key_walk::KeyWalk;
pub use self::lock::{Lock, LockId, LockToken, Unlock};
pub use self::operation::Operation;
pub use self::record::{Locked, Lookup, Meta, Record, Stored};
pub use self::replace::replace_under_lock;
pub(crate) use self::replace::{into_replace_error, lock_if_unchanged};
pub use self::scan::{Cursor, Page, SessionHead};
pub use self::usage::{ReportUsage, Usage};
pub use self::watch::{Watch, WatchSessions, Watchers};
use crate::clock::{Clock, Timestamp};
use crate::id::SessionKey;

/// The default lease: a lock that is not renewed is held for 6 seconds.
///
/// It is shorter than the default [lock wait](crate::SessionBuilder::lock_wait) of visits: a process that dies while it
/// holds a lock delays other visits, but fails none.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(6);

/// The default limit of waiters for one session's lock in one process: 1,024.
pub const DEFAULT_MAX_WAITERS: usize = 1_024;

/// The number of aliases that every storage follows, one after the other, to find a session: 16. A [`KeyWalk`] counts
/// them.
pub const MAX_ALIASES: usize = 16;

/// Keeps the records and the locks of sessions.
///
/// # The contract
///
/// **Each operation is one atomic step**, and on a network one round trip. Concurrent readers see either the old state
/// or the new one. If the future of an operation is dropped, the step has been taken completely or not at all, and no
/// lock stays behind.
///
/// **A key is in one of three states.** It is *live*: there is a record, and its deadline, if it has one, has not come.
/// It is *superseded*: the session has moved to another key and left a tombstone under this one for a while. Or it is
/// *missing*. An expired record is missing for every operation, whether it has been swept or not; the deadline itself
/// is the first millisecond at which the record is no longer returned.
///
/// **Only [`create`](Storage::create) brings a record into being**, and [`rotate`](Storage::rotate) under its new key.
/// Every other operation needs the record and fails without it. Ids are random and never reused, so a destroyed session
/// stays destroyed, however late a write arrives.
///
/// **A lock is a lease.** It has a random token, and an operation that is given a lock checks its token in the same
/// atomic step in which it acts. When the lease is over, others can take the lock; the former holder is refused with
/// [`LockLost`](StorageErrorKind::LockLost) and changes nothing.
///
/// **Keys can be aliases.** [`rotate`](Storage::rotate) can leave the old key as an alias of the new one for a while.
/// Every operation that takes a key follows aliases, several in a row if the session has moved on, up to
/// [`MAX_ALIASES`]; [`Stored::key`] and [`LockId::key`] name the key under which the record was found. If the chain
/// does not end at a live record, or is longer, the alias is superseded, as is any key that its session has left. A
/// lock does not move along: its holder under the old key has lost it.
///
/// **Tombstones know where the session went, and only [`destroy`](Storage::destroy) follows them**, through any number
/// of moves. A client with an old id can end the session as long as the tombstone stands, but can neither read it nor
/// write to it.
///
/// **Time is the storage's own.** Deadlines and leases are judged by [`clock`](Storage::clock) or, if the backend has a
/// clock, by that of the backend. [`clock`](Storage::clock) is then an estimate, and can be wrong until the backend
/// replies again. Expired data is removed only by steps that the backend judges: a session never destroys a record
/// because of the estimate.
///
/// Storages see keys and encoded records. They never see ids and never look into a payload.
///
/// # Evolution
///
/// Every storage implements every operation, so none has a default: an operation that silently did less than the
/// contract requires would be worse than an error. [`drain`](Storage::drain) has a default that does nothing, for
/// storages whose locks end with the process anyway. Features that only some storages have are
/// [capabilities](Storage::capabilities), and each storage says which it has. The structs of the contract have
/// constructors and can gain fields; an enum that cannot gain variants says so.
///
/// # Wrappers
///
/// A wrapper that does the same around every operation of another storage implements [`Intercept`](crate::Intercept),
/// which makes it a storage. One that does something else for each operation implements `Storage`.
///
/// # Errors
///
/// A lookup that finds nothing is a result, not an error. Operations that need a record fail with
/// [`Gone`](StorageErrorKind::Gone) if the key is missing and with [`Superseded`](StorageErrorKind::Superseded) if it
/// is superseded. Failures to reach the backend have kinds of their own; after
/// [`Unavailable`](StorageErrorKind::Unavailable) and [`Timeout`](StorageErrorKind::Timeout) the step may or may not
/// have been taken.
#[async_trait]
pub trait Storage: Debug + Send + Sync + 'static {
    /// Returns a short name for logs and errors, such as `"memory"`.
    fn name(&self) -> &'static str;

    /// Returns the clock by which this storage judges deadlines, as well as this process can know it.
    ///
    /// An estimate of a backend's clock does not depend on the wall clock of this machine, which may be set at any
    /// time, and has taken the last reply to [`lock`](Storage::lock) into account: a visit that holds a lock removes
    /// the expired parts of the session by this clock.
    fn clock(&self) -> &dyn Clock;

    /// Returns the optional features of this storage. The result is always the same.
    ///
    /// A wrapper returns those of the wrapped storage; see [`Capabilities`].
    fn capabilities(&self) -> Capabilities<'_>;

    /// Returns the operations that never wait as plain functions, if the storage has them. The result is always the
    /// same.
    ///
    /// `None` by default. A wrapper does not inherit them: it returns them only if its own work never waits either, and
    /// wraps these functions, too.
    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        None
    }

    /// Returns the live record. Neither takes the lock nor waits for its holder.
    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError>;

    /// Takes the lock and returns it with the record that it protects.
    ///
    /// If the key is not live, the call returns immediately and leaves nothing behind. Otherwise it waits for the lock,
    /// at most for `wait`. Waiters in one process are served in the order of their arrival. If the record ends while
    /// the call waits, the result is the new state of the key.
    ///
    /// # Errors
    ///
    /// [`LockTimeout`](StorageErrorKind::LockTimeout) when `wait` is over;
    /// [`TooManyWaiters`](StorageErrorKind::TooManyWaiters), immediately, if too many are waiting already.
    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError>;

    /// Stores a new record.
    ///
    /// # Errors
    ///
    /// [`Exists`](StorageErrorKind::Exists) if the key is live or superseded; nothing is changed.
    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError>;

    /// Replaces the record and releases the lock.
    ///
    /// On success the lock is [disarmed](Lock::disarm). On failure nothing is written and the lock is left as it was,
    /// so that the call can be repeated or the lock released.
    ///
    /// # Errors
    ///
    /// [`LockLost`](StorageErrorKind::LockLost) if the lock is no longer held, [`Gone`](StorageErrorKind::Gone) or
    /// [`Superseded`](StorageErrorKind::Superseded) if there is no live record.
    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError>;

    /// Replaces the record without a lock, if it is still as in `known` and its lock is free: the write of an
    /// optimistic caller, which starts over after a conflict.
    ///
    /// `known` is a result of [`read`](Storage::read). The record is still as in `known` if it has the same metadata,
    /// so that it was neither written nor touched since. Returns whether the record was replaced. With `false` nothing
    /// is changed: the record differs by now, or it is locked. A storage may also return `false` if it merely cannot
    /// tell, but not for ever while nothing else uses the session. A lock whose lease is over is free.
    ///
    /// The comparison and the write are one atomic step. A holder of the lock never finds its record replaced. Aliases
    /// are not followed: `known.key` is the key under which the record is stored, and if that has become an alias, the
    /// result is `false`.
    ///
    /// # Errors
    ///
    /// [`Gone`](StorageErrorKind::Gone) and, if the session has moved away from the key,
    /// [`Superseded`](StorageErrorKind::Superseded).
    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError>;

    /// Moves the session to `new_key` with this record and releases the lock, all in one step.
    ///
    /// `new_key` has the same [shard](SessionKey::shard) as the old key. The old key becomes an alias of the new one
    /// for `grace` and then a tombstone; with a grace of zero, it becomes a tombstone immediately. A tombstone stands
    /// for as long as the storage is configured to keep it, 60 seconds by default. Both ends are fixed now: whatever
    /// becomes of the session, the old key is missing when they have come and not before. Neither the lock nor its
    /// waiters move along: waiters find that the key is superseded or, during the grace, get the record under its new
    /// key.
    ///
    /// # Errors
    ///
    /// Those of [`commit`](Storage::commit), and [`Exists`](StorageErrorKind::Exists) if `new_key` is taken.
    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError>;

    /// Releases the lock without writing. Releasing a lock that is no longer held is no error.
    async fn release(&self, lock: Lock) -> Result<(), StorageError>;

    /// Extends the lease of a lock that is still held: it starts anew from now.
    ///
    /// # Errors
    ///
    /// [`LockLost`](StorageErrorKind::LockLost), [`Gone`](StorageErrorKind::Gone) or
    /// [`Superseded`](StorageErrorKind::Superseded).
    async fn renew(&self, lock: &LockId) -> Result<(), StorageError>;

    /// Moves the deadline and the time of the last activity of a live record, if it still has the
    /// [version](Meta::version) from which they were computed. Needs no lock, and changes neither payload nor version.
    ///
    /// Neither of the two is ever moved back. A `deadline` of `None` removes the deadline, and a record without a
    /// deadline stays without one.
    ///
    /// Returns whether the record has this version. `false` means that the record has been written since: nothing is
    /// changed, and the deadline that the writer has set holds. The version is compared in the same atomic step in
    /// which the deadline moves.
    ///
    /// # Errors
    ///
    /// [`Gone`](StorageErrorKind::Gone) or [`Superseded`](StorageErrorKind::Superseded).
    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError>;

    /// Ends the session: removes its record and its lock, even if that is held. Does not wait, and may be repeated.
    ///
    /// If the session has moved away from this key, it is ended under its current key: the call follows aliases,
    /// whether their grace is over or not, and tombstones, through any number of moves, for as long as they stand, and
    /// leaves them in place. The tombstone of a later move can be the first to end, if that move had a shorter grace;
    /// the chain then ends there.
    ///
    /// Returns [`Found`](Lookup::Found) if a live record was removed, under this key or the session's current one.
    /// Otherwise returns the state of this key: missing, or superseded by a session that has ended.
    ///
    /// A concurrent [`rotate`](Storage::rotate) comes before or after: either it fails with
    /// [`Gone`](StorageErrorKind::Gone), or the session is removed under its new key.
    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError>;

    /// Lists live sessions, up to `limit` at a time, from `cursor` or from the beginning.
    ///
    /// A session that lives throughout a scan is listed at least once, whatever else is added or removed meanwhile.
    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError>;

    /// Removes up to `limit` expired records and returns them, each to one caller.
    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError>;

    /// Leaves no lock behind, for a process that is about to end: waits until no lock that was taken through this value
    /// or its clones is held, at most for `patience`, and then releases those that still are. Their holders are refused
    /// with [`LockLost`](StorageErrorKind::LockLost). When the call returns, the backend has been informed as far as
    /// that is possible: releases that run in the background for dropped locks are waited for, too.
    ///
    /// The storage stays in service. Locks can be taken meanwhile and afterwards; those taken meanwhile may be released
    /// with the others. A lock that has waiters in this process passes to the first of them. The call cannot fail: a
    /// lock that could not be released is left to its lease. If its future is dropped, it has released all of them or
    /// none.
    ///
    /// Storages whose locks end with the process need not implement it; the default does nothing. Wrappers forward it.
    async fn drain(&self, patience: Duration) {
        let _ = patience;
    }
}

/// A storage or a shared storage, as [`Session::builder`](crate::Session::builder) accepts it.
pub trait IntoStorage {
    /// Returns the storage, shared.
    fn into_storage(self) -> Arc<dyn Storage>;
}

impl<S: Storage> IntoStorage for S {
    fn into_storage(self) -> Arc<dyn Storage> {
        Arc::new(self)
    }
}

impl<S: Storage> IntoStorage for Arc<S> {
    fn into_storage(self) -> Arc<dyn Storage> {
        self
    }
}

impl IntoStorage for Arc<dyn Storage> {
    fn into_storage(self) -> Self {
        self
    }
}
