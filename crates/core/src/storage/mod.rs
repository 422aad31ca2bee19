//! The contract between sessions and the places that keep them.
//!
//! A [`Storage`] keeps [`Record`]s by [`SessionKey`] and hands out one exclusive [`Lock`] a session. The trait asks
//! for everything at once, atomically; whoever has a database with conditional writes need not implement it.

mod at_once;
mod capabilities;
mod error;
mod lock;
mod record;
mod replace;
mod scan;
mod usage;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use self::at_once::AtOnce;
pub use self::capabilities::Capabilities;
pub use self::error::{StorageError, StorageErrorKind};
pub use self::lock::{Lock, LockTicket, LockToken, Unlock};
pub use self::record::{Locked, Lookup, Meta, Record, Stored};
pub use self::replace::replace_under_lock;
pub(crate) use self::replace::{as_replace, lock_as_known};
pub use self::scan::{Cursor, Page};
pub use self::usage::{ReportUsage, Usage};
use crate::clock::{Clock, Timestamp};
use crate::id::SessionKey;

/// How long a lock is held, at most, without being renewed: 6 seconds.
///
/// It is shorter than the [time that visits wait](crate::SessionBuilder::lock_wait) by default: a process that dies while
/// it holds a lock makes others wait, and makes no visit fail.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(6);

/// How many visits may wait for one session's lock in one process: 1,024.
pub const DEFAULT_MAX_WAITERS: usize = 1_024;

/// How many aliases are followed, one after the other, to find a session: 16, in every storage.
pub const MAX_ALIASES: usize = 16;

/// Where sessions are kept.
///
/// # The contract
///
/// **Each verb is one atomic step**, and on a network one round trip. Whoever looks, sees the state before it or the
/// state after it. When the future of a verb is dropped, the step has been taken or it has not; nothing is left in
/// between, and no lock stays behind.
///
/// **A key is in one of three states.** It is *live*: there is a record, and its deadline, if it has one, has not
/// come. It is *superseded*: the session has moved to another key, and for a while a mark stands here that says so. Or
/// it is *missing*. A record whose deadline has come is missing for every verb, whether it has been swept or not: the
/// deadline itself is the first millisecond at which nothing is returned.
///
/// **Only [`create`](Storage::create) brings a record into being**, and [`rotate`](Storage::rotate) under its new
/// key. Every other verb needs the record and fails without it. As ids are random and are never used twice, what has
/// been destroyed stays destroyed, however late a write arrives.
///
/// **A lock is a lease.** It has a random token, and a verb that takes a lock checks the token in the same atomic
/// step in which it acts. When the lease is over, the lock is anybody's; a holder that comes late is refused with
/// [`LockLost`](StorageErrorKind::LockLost) and changes nothing.
///
/// **Keys can be aliases.** [`rotate`](Storage::rotate) can leave the old key as an alias of the new one for a while.
/// Every verb that takes a key follows aliases, one after the other if the session has moved on from there, up to
/// [`MAX_ALIASES`]; [`Stored::key`] and [`LockTicket::key`] name the key the record was found under. Where the way does
/// not end at a live record, or is longer, the alias is as superseded as any key its session has moved away from. A
/// lock does not move along: whoever held it under the old key has lost it.
///
/// **Tombstones know where the session went, and only [`destroy`](Storage::destroy) follows them**, through any number
/// of moves. Whoever holds an old id can end the session for as long as the tombstone stands, and neither read it nor
/// write to it.
///
/// **Time is the storage's own.** Deadlines and leases are judged by [`clock`](Storage::clock) or, where the backend
/// has a clock, by that of the backend. [`clock`](Storage::clock) is then an estimate of it, and can be wrong until the
/// backend is heard of again. What is removed because its time is over is removed by a step that the backend judges;
/// a session does not take it upon itself to destroy a record, whatever the estimate says.
///
/// Storages see keys and encoded records. They never see ids and never look into a payload.
///
/// # How it grows
///
/// Every verb is owed by every storage, so none has a default: one that did less than the contract asks for, in silence,
/// would be weaker than an error. [`drain`](Storage::drain) has one that does nothing, for storages whose locks end with
/// the process anyway. What only some storages can do is a capability, which the storage is
/// [asked for](Storage::capabilities) and has or has not. The structs of the contract have constructors and can get more
/// fields; an enum that cannot get more variants says so.
///
/// # Errors
///
/// A lookup that finds nothing is an answer, not an error. Verbs that need a record fail with
/// [`Gone`](StorageErrorKind::Gone) where the key is missing and with
/// [`Superseded`](StorageErrorKind::Superseded) where it is superseded. Trouble on the way to the backend has kinds
/// of its own; after [`Unavailable`](StorageErrorKind::Unavailable) and [`Timeout`](StorageErrorKind::Timeout) the
/// step may or may not have been taken.
#[async_trait]
pub trait Storage: Debug + Send + Sync + 'static {
    /// A short name for logs and errors, such as `"memory"`.
    fn name(&self) -> &'static str;

    /// The clock by which this storage judges deadlines, as well as this process can know it.
    ///
    /// Where that is the clock of a backend, this one does not depend on the wall clock of this machine, which may be
    /// set at any time, and knows no less than the last answer to [`lock`](Storage::lock) has said: a visit that holds a
    /// lock removes from the session what is over by this clock.
    fn clock(&self) -> &dyn Clock;

    /// What this storage can do beyond the verbs here. The answer is always the same.
    ///
    /// A wrapper hands on what is wrapped; see [`Capabilities`].
    fn capabilities(&self) -> Capabilities<'_>;

    /// The operations that never wait, as plain functions, if the storage answers at once. The answer is always the same.
    ///
    /// `None` by default. A wrapper does not inherit it: one that hands on what it wraps has decided that its own work
    /// can be done without waiting, and wraps these functions too.
    fn at_once(&self) -> Option<&dyn AtOnce> {
        None
    }

    /// Returns the live record. Takes no lock, and waits for no holder of one.
    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError>;

    /// Takes the lock and returns it with the record it protects.
    ///
    /// A key that is not live is answered at once, and the question leaves nothing behind. Otherwise the call waits
    /// its turn, at most for `wait`. Those who wait in one process are served in the order in which they came. If
    /// the record ends while the call waits, the answer is what has become of the key.
    ///
    /// # Errors
    ///
    /// [`LockTimeout`](StorageErrorKind::LockTimeout) when `wait` is over;
    /// [`TooManyWaiters`](StorageErrorKind::TooManyWaiters), at once, when too many are waiting already.
    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError>;

    /// Stores a new record.
    ///
    /// # Errors
    ///
    /// [`Exists`](StorageErrorKind::Exists) when the key is live or superseded; nothing is changed.
    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError>;

    /// Replaces the record and gives the lock up.
    ///
    /// On success the lock is [spent](Lock::spend). On failure nothing is written and the lock is left as it was,
    /// so that the call can be repeated or the lock released.
    ///
    /// # Errors
    ///
    /// [`LockLost`](StorageErrorKind::LockLost) when the lock is no longer held,
    /// [`Gone`](StorageErrorKind::Gone) or [`Superseded`](StorageErrorKind::Superseded) when the record is not there.
    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError>;

    /// Replaces the record without a lock, if it is still as `known` says and nobody holds its lock: the way to write for
    /// those who can start anew when somebody else came first.
    ///
    /// `known` is what [`read`](Storage::read) has returned: the record has its metadata still, so nothing was written or
    /// touched since. Returns whether the record was replaced. With `false` nothing is changed: the record is another by
    /// now, or it is locked. A storage may answer so too when it merely cannot tell, but not for ever while nobody else
    /// uses the session. A lock whose lease is over is held by nobody.
    ///
    /// The comparison and the write are one atomic step. A holder of the lock never finds its record replaced. Aliases
    /// are not followed: `known.key` is the key that the record is stored under, and where that has become an alias the
    /// answer is `false`.
    ///
    /// # Errors
    ///
    /// [`Gone`](StorageErrorKind::Gone) and, where the session has moved away from the key,
    /// [`Superseded`](StorageErrorKind::Superseded).
    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError>;

    /// Moves the session to `new_key` with this record, and gives the lock up, all in one step.
    ///
    /// `new_key` has the same [shard](SessionKey::shard) as the old key. The old key is left as an alias of the new
    /// one for `grace` and as a tombstone afterwards; with a grace of zero, as a tombstone at once. A tombstone
    /// stands for as long as the storage is configured to keep it, 60 seconds by default. These ends are fixed now:
    /// whatever becomes of the session, the old key is missing when they have come and not before. A lock that is held
    /// or waited for does not move along: those who wait are told that the key is superseded or, during the grace, get
    /// the record under its new key.
    ///
    /// # Errors
    ///
    /// As for [`commit`](Storage::commit), and [`Exists`](StorageErrorKind::Exists) when `new_key` is taken.
    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError>;

    /// Gives the lock up without writing. One that is no longer held is no error.
    async fn release(&self, lock: Lock) -> Result<(), StorageError>;

    /// Extends the lease of a lock that is still held: it runs anew from now.
    ///
    /// # Errors
    ///
    /// [`LockLost`](StorageErrorKind::LockLost), [`Gone`](StorageErrorKind::Gone) or
    /// [`Superseded`](StorageErrorKind::Superseded).
    async fn renew(&self, lock: &LockTicket) -> Result<(), StorageError>;

    /// Moves the deadline and the time of the last activity of a live record, if that is still the one they were
    /// computed from: the one with this [version](Meta::version). Needs no lock, and changes nothing else: not the
    /// payload, not the version.
    ///
    /// Neither of the two is ever moved back. A `deadline` of `None` means that there is no deadline any more, and a
    /// record without a deadline stays without one.
    ///
    /// Returns whether the record has this version. `false` means that it has been written since: nothing is changed,
    /// and the deadline that the writer has set holds. The version is compared in the same atomic step in which the
    /// deadline moves.
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

    /// Ends the session: removes its record and its lock, whoever holds it. Waits for nobody, and may be repeated.
    ///
    /// If the session has moved away from this key, it is ended where it is now: the call follows aliases, whether
    /// their grace is over or not, and tombstones, through any number of moves, for as long as they stand. What stands
    /// on the way is left standing. The mark of a later move can be the first to end, if that was given a shorter
    /// grace; the way then ends there.
    ///
    /// The answer is [`Found`](Lookup::Found) if a live record was removed, under this key or the one the session has
    /// moved to. Otherwise it says what stands at this key: nothing, or the mark of a session that has ended.
    ///
    /// Of a [`rotate`](Storage::rotate) at the same time, one comes first: either the rotation fails with
    /// [`Gone`](StorageErrorKind::Gone), or the session is removed under its new key.
    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError>;

    /// Lists live sessions, up to `limit` at a time, from where `cursor` points, or from the beginning.
    ///
    /// A session that lives throughout a scan is listed at least once, whatever else is added or removed meanwhile.
    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError>;

    /// Removes up to `limit` records whose deadline has come, and returns them, each to one caller.
    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError>;

    /// Sees to it that no lock is left behind, for a process that is about to end: waits until no lock that was taken
    /// through this value or its clones is held, at most for `patience`, and then gives up those that still are. Their
    /// holders are refused with [`LockLost`](StorageErrorKind::LockLost). When the call returns, the backend knows of
    /// it, as well as it can be told: what is done in the background for locks that were dropped is waited for, too.
    ///
    /// It takes nothing out of service. Locks can be taken meanwhile and afterwards; those that are taken meanwhile may
    /// be given up with the others. A lock for which others wait in this process passes to the first of them. The call
    /// cannot fail: a lock that could not be given up is left to its lease. When its future is dropped, it has given up
    /// all of them or none.
    ///
    /// Storages whose locks end with the process need not implement it; the default does nothing. Wrappers hand it on.
    async fn drain(&self, patience: Duration) {
        let _ = patience;
    }
}

/// What [`Session::builder`](crate::Session::builder) accepts: a storage, or a shared one.
pub trait IntoStorage {
    /// The storage, shared.
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
