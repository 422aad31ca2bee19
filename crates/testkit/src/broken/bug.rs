//! [`Bug`]: the list of what can be wrong.

use std::fmt;

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $bug:ident,)+) => {
        /// What is wrong with a [`Broken`](crate::Broken) storage.
        ///
        /// Those that are about what a verb does to the data are [`Rules`](crate::Rules) as well, and can be given to a
        /// [`ModelStorage`](crate::ModelStorage). Those that are about time and waiting take a [`Broken`](crate::Broken).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Bug {
            $($(#[doc = $doc])+ $bug,)+
        }

        impl Bug {
            /// Every bug.
            pub const ALL: &[Self] = &[$(Self::$bug,)+];
        }
    };
}

bugs! {
    /// `create` replaces a record that is there.
    CreateOverwrites,
    /// `create` looks and writes in two steps.
    CreateInTwoSteps,
    /// `create` puts a record in the place of a tombstone or alias.
    CreateReplacesTombstones,
    /// `create` refuses a key whose record has expired and was not swept.
    CreateRefusesTheExpired,
    /// `create` stores the metadata, then the payload.
    CreateTorn,
    /// `create` leaves the new record locked.
    CreateLocks,
    /// `create` forgets when the session was created and last active.
    CreateResetsTimes,
    /// `create` gives a record without a deadline one.
    CreateInventsDeadline,
    /// What was to remove an expired record removes the record that was created in its place.
    CreateKeepsOldTimer,

    /// `read` waits for the holder of the lock.
    ReadWaits,
    /// `read` takes the lock.
    ReadLocks,
    /// `read` counts as activity.
    ReadTouches,
    /// `read` confuses the keys of one shard.
    ReadMixesShards,
    /// `read` of an unknown key answers with an empty session.
    ReadInvents,
    /// `read` by a second handle answers from what that handle read before.
    ReadIsCached,

    /// `lock` gives the lock to everybody.
    LockIgnoresHolder,
    /// `lock` has one lock for all sessions of a shard.
    LockIsShared,
    /// `lock` leaves an entry for an unknown key.
    LockLeavesEntry,
    /// `lock` waits for a session that is not there.
    LockWaitsForTheMissing,
    /// `lock` returns the record as it was when the wait began.
    LockReturnsStaleRecord,
    /// `lock` returns the metadata of the record only.
    LockReturnsEmpty,
    /// `lock` gives the same token each time.
    LockRepeatsToken,
    /// `lock` stays behind when the call is dropped after it took effect.
    LockStaysWhenDropped,
    /// `lock` serves whoever came last.
    LockIsLifo,
    /// `lock` serves a newcomer while others wait.
    LockSkipsQueue,
    /// `lock` lets any number wait.
    LockIsUnbounded,
    /// `lock` counts those who wait for all sessions together.
    LockBoundIsShared,
    /// A waiter that is dropped keeps its place: the wake-up meant for it is lost.
    LockLosesWakeUp,
    /// `lock` waits for longer than it may.
    LockOverstays,
    /// `lock` gives up before the wait is over.
    LockGivesUpEarly,
    /// `lock` overflows on a wait without end, and does not wait at all.
    LockOverflows,
    /// Those who wait do not learn that the session has ended.
    LockMissesTheEnd,
    /// Those who wait do not learn that the session has moved.
    LockMissesTheMove,
    /// Only the end of the lease wakes those who wait.
    LockPollsSlowly,

    /// The lease never ends.
    LeaseNeverEnds,
    /// The record goes with the lease.
    LeaseTakesRecord,
    /// The lease ends at half its time.
    LeaseEndsEarly,
    /// `renew` revives a lock whose lease is over.
    RenewRevives,
    /// `renew` asks for no token.
    RenewIgnoresToken,
    /// `renew` does nothing.
    RenewDoesNothing,
    /// `renew` adds to the lease instead of beginning it anew.
    RenewAddsUp,
    /// `renew` gives the lock up and takes it again.
    RenewTorn,
    /// `renew` of a session that is gone succeeds.
    RenewIgnoresRecord,
    /// `release` asks for no token.
    ReleaseIgnoresToken,
    /// `release` does nothing.
    ReleaseDoesNothing,
    /// `release` writes.
    ReleaseWrites,
    /// `release` of a lock that was lost is an error.
    ReleaseFailsWhenLost,
    /// `release` forgets the lock when the call is dropped.
    ReleaseTorn,
    /// A lock that is dropped stays.
    DropDoesNothing,
    /// A lock that is dropped frees the session, whoever holds it by then.
    DropIgnoresToken,

    /// `commit` asks for no token.
    CommitIgnoresToken,
    /// `commit` asks for the token and not for the lease.
    CommitIgnoresLease,
    /// `commit` creates a record that is missing.
    CommitUpserts,
    /// `commit` brings back a record that has expired.
    CommitRevives,
    /// `commit` writes to a key that the session has left.
    CommitIgnoresTombstone,
    /// `commit` keeps the lock.
    CommitKeepsLock,
    /// `commit` does not mark the lock as spent.
    CommitDoesNotSpend,
    /// `commit` marks the lock as spent when it fails.
    CommitSpendsOnFailure,
    /// `commit` replaces the payload and leaves the metadata.
    CommitKeepsMeta,
    /// `commit` never shortens a life.
    CommitNeverShortens,
    /// `commit` looks at the lock and writes in two steps.
    CommitInTwoSteps,
    /// `commit` writes the payload in two halves.
    CommitTorn,
    /// `commit` writes in the background, without looking at the lock again.
    CommitComesLater,

    /// `replace` answers and does nothing.
    ReplaceDoesNothing,
    /// `replace` never replaces anything.
    ReplaceNeverDoes,
    /// `replace` replaces the payload and leaves the metadata but for the version.
    ReplaceKeepsTimes,
    /// `replace` leaves the session locked.
    ReplaceLocks,
    /// `replace` takes what another handle has read for another record.
    ReplaceIsPerHandle,
    /// `replace` does not compare the version.
    ReplaceIgnoresVersion,
    /// `replace` compares the version only.
    ReplaceIgnoresTouches,
    /// `replace` asks for no lock.
    ReplaceIgnoresLock,
    /// `replace` leaves a locked record, and takes the lock away.
    ReplaceUnlocks,
    /// `replace` waits for the holder of the lock.
    ReplaceWaits,
    /// `replace` leaves a record whose lock is over and was not taken.
    ReplaceIgnoresLease,
    /// `replace` lets the holder of a lock in whose lease is over.
    ReplaceRevivesLock,
    /// `replace` adds to the lease of a lock that is in its way.
    ReplaceProlongsLease,
    /// `replace` creates a record that is missing.
    ReplaceUpserts,
    /// `replace` brings back a record that has expired.
    ReplaceRevives,
    /// `replace` of a record that is not there is not an error.
    ReplaceHidesTheEnd,
    /// `replace` writes to a key that the session has left.
    ReplaceIgnoresTombstone,
    /// `replace` by an alias writes to the session.
    ReplaceFollowsAlias,
    /// `replace` takes away what says that the session had moved.
    ReplaceRemovesAliases,
    /// `replace` compares and writes in two steps.
    ReplaceInTwoSteps,
    /// `replace` writes the payload in two halves.
    ReplaceTorn,
    /// `replace` has the errors of another verb.
    ReplaceHasNoName,

    /// The plain `lock` leaves somebody in the queue who is not there.
    AtOnceQueues,
    /// The plain `lock` fails where it would have to wait.
    AtOnceFailsWhereItWaits,
    /// The plain functions name a moment that has not come.
    AtOnceIsOfAnotherMoment,
    /// The plain `replace` does not compare.
    AtOnceReplacesAnything,

    /// `rotate` leaves the session under the old key as well.
    RotateKeepsOld,
    /// `rotate` leaves no tombstone.
    RotateLeavesNothing,
    /// `rotate` replaces what stands under the new key.
    RotateOverwrites,
    /// `rotate` asks for no token.
    RotateIgnoresToken,
    /// `rotate` brings back a session that is gone.
    RotateUpserts,
    /// `rotate` takes the lock along.
    RotateKeepsLock,
    /// `rotate` without regard to the grace: a tombstone at once.
    RotateIgnoresGrace,
    /// `rotate` marks the lock as spent when it fails.
    RotateSpendsOnFailure,
    /// `rotate` stores the old record under the new key.
    RotateForgetsRecord,
    /// `rotate` writes the new record, then removes the old one.
    RotateTorn,
    /// Tombstones never go.
    TombstoneStays,
    /// Tombstones go at half their time.
    TombstoneGoesEarly,
    /// Tombstones stay no longer than the session can live.
    TombstoneGoesWithSession,
    /// Aliases never end.
    AliasStays,
    /// An alias of an alias leads nowhere.
    AliasIsNotChained,
    /// An alias lets the holder of a lock in that was left behind.
    AliasLetsHoldersIn,
    /// The lock of a session is taken under the alias it was asked for by.
    AliasIsLocked,
    /// Who waits through an alias is told what becomes of the key that it led to.
    AliasIsForgotten,

    /// `touch` creates a record that is missing.
    TouchUpserts,
    /// `touch` brings back a record that has expired.
    TouchRevives,
    /// `touch` can shorten a life.
    TouchShortens,
    /// `touch` can move the last activity back.
    TouchRewinds,
    /// `touch` of a record without a deadline gives it one.
    TouchLimits,
    /// `touch` takes no deadline for no change.
    TouchIgnoresNone,
    /// `touch` counts as a write.
    TouchCounts,
    /// `touch` waits for the holder of the lock.
    TouchWaits,
    /// `touch` gives the lock away.
    TouchUnlocks,
    /// `touch` of a tombstone touches the session that has moved.
    TouchFollowsTombstone,
    /// `touch` moves the deadline, then the last activity.
    TouchTorn,
    /// `touch` reads the whole record and writes it back.
    TouchOverwrites,
    /// `touch` forgets to tell whatever removes the expired.
    TouchKeepsOldTimer,
    /// `touch` asks for no version.
    TouchIgnoresVersion,
    /// `touch` of a record that has been written since changes nothing and says that it did.
    TouchHidesTheStale,
    /// `touch` looks at the version and writes in two steps.
    TouchInTwoSteps,

    /// `destroy` answers and does nothing.
    DestroyDoesNothing,
    /// `destroy` leaves the lock.
    DestroyKeepsLock,
    /// `destroy` takes away what says that the session had moved.
    DestroyRemovesAliases,
    /// `destroy` waits for the holder of the lock.
    DestroyWaits,
    /// `destroy` removes tombstones.
    DestroyRemovesTombstones,
    /// `destroy` of a tombstone leaves the session that has moved.
    DestroyIgnoresTombstone,
    /// `destroy` follows a session from a tombstone to the next key, and no further.
    DestroyFollowsOneMove,
    /// `destroy` follows no more aliases than others.
    DestroyCountsAliases,
    /// `destroy` of a tombstone removes the record of the session that has moved, and leaves its lock.
    DestroyKeepsMovedLock,
    /// `destroy` looks where the session is, and removes it there in a second step.
    DestroyInTwoSteps,
    /// `destroy` says that it found something when it did not.
    DestroyAlwaysFinds,
    /// `destroy` leaves an entry.
    DestroyLeavesEntry,
    /// `destroy` removes the lock, then the record.
    DestroyTorn,

    /// Everything lives a millisecond too long.
    ExpiresLate,
    /// Everything lives a millisecond too short.
    ExpiresEarly,
    /// Deadlines are rounded down to whole seconds.
    ExpiresBySeconds,
    /// Nothing expires while it is locked.
    ExpiresNotUnderLock,
    /// Deadlines of more than 32 bits of seconds come around.
    ExpiryOverflows,
    /// A deadline that has passed is taken for none.
    ExpiryOfThePastIsNone,
    /// Nothing lives for more than a year.
    ExpiryIsCapped,

    /// `scan` counts how many it has listed, and goes on from that number.
    ScanSkips,
    /// `scan` lists what has expired.
    ScanListsTheExpired,
    /// `scan` lists tombstones and aliases.
    ScanListsTombstones,
    /// `scan` omits what is locked.
    ScanOmitsLocked,
    /// `scan` lists more than it was asked for.
    ScanIgnoresLimit,
    /// `scan` begins again when it has come to its end.
    ScanNeverEnds,
    /// The cursors of `scan` are good for one handle only.
    ScanCursorIsLocal,
    /// `scan` takes the lock of what it lists.
    ScanLocks,
    /// `sweep` returns records and leaves them.
    SweepReturnsTwice,
    /// `sweep` takes whatever has a deadline.
    SweepTakesLiving,
    /// `sweep` takes more than it was asked for.
    SweepIgnoresLimit,
    /// `sweep` passes records over.
    SweepForgets,
    /// `sweep` leaves tombstones that are over.
    SweepLeavesTombstones,
    /// `sweep` looks and removes in two steps.
    SweepInTwoSteps,
    /// `sweep` returns the record of another moment: without its payload.
    SweepReturnsEmpty,

    /// `drain` does nothing, without having said so.
    DrainDoesNothing,
    /// `drain` gives up locks at once, however much patience there is.
    DrainWaitsForNobody,
    /// `drain` waits for as long as it may, even if nothing is held.
    DrainWaitsForNothing,

    /// A full storage removes a session to make room for another.
    FullRemovesAnother,
    /// A full storage spends the lock of a commit that it refuses.
    FullSpendsTheLock,
    /// A full storage replaces a record all the same, and says that there is no room.
    FullReplacesAnyway,
    /// A full storage leaves a tombstone for a rotation that it refuses.
    FullMovesAnyway,
    /// A full storage counts what was destroyed.
    FullForGood,
    /// The plain `create` knows no limit.
    FullNotAtOnce,

    /// Payloads are taken for text.
    PayloadIsText,
    /// Payloads lose white space at their ends.
    PayloadIsTrimmed,
    /// Payloads end at 64 KiB.
    PayloadIsCut,
    /// Payloads end at a mebibyte.
    PayloadIsCutLate,
    /// An empty payload is no write.
    PayloadEmptyIsNone,
    /// Errors name no verb.
    ErrorsAreAnonymous,

    /// A capability got lost on the way.
    UsageIsMissing,
    /// `usage` tells the most there ever was.
    UsageNeverShrinks,
    /// `usage` takes all sessions for equally large.
    UsageIgnoresPayloads,
}

impl Bug {
    /// Whether the storage with this bug holds four mebibytes of payloads and no more.
    #[must_use]
    pub fn has_limit(self) -> bool {
        use Bug::{
            FullForGood, FullMovesAnyway, FullNotAtOnce, FullRemovesAnother, FullReplacesAnyway, FullSpendsTheLock,
        };
        matches!(
            self,
            FullForGood | FullMovesAnyway | FullNotAtOnce | FullRemovesAnother | FullReplacesAnyway | FullSpendsTheLock
        )
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
