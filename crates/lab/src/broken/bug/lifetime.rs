//! Bugs of keys and lifetimes: rotation, touches, destruction, expiry, listing and usage.

/// Appends these bugs to a list and passes it to the next macro.
macro_rules! lifetime_bugs {
    ($next:ident $($then:ident)*; $($bugs:tt)*) => { $next! { $($then)*; $($bugs)*
        /// `rotate` keeps the session under the old key as well.
        RotateKeepsOld,
        /// `rotate` leaves no tombstone.
        RotateLeavesNothing,
        /// `rotate` replaces an entry under the new key.
        RotateOverwrites,
        /// `rotate` does not check the token.
        RotateIgnoresToken,
        /// `rotate` recreates a session that is gone.
        RotateUpserts,
        /// `rotate` moves the lock to the new key.
        RotateKeepsLock,
        /// `rotate` ignores the grace and leaves a tombstone immediately.
        RotateIgnoresGrace,
        /// `rotate` disarms the lock when it fails.
        RotateDisarmsOnFailure,
        /// `rotate` stores the old record under the new key.
        RotateForgetsRecord,
        /// `rotate` writes the new record, then removes the old one.
        RotateTorn,
        /// Tombstones do not expire.
        TombstoneStays,
        /// Tombstones expire at half their time.
        TombstoneGoesEarly,
        /// Tombstones expire with the session at the latest.
        TombstoneGoesWithSession,
        /// Aliases do not expire.
        AliasStays,
        /// An alias of an alias is not followed.
        AliasIsNotChained,
        /// The alias accepts the lock that was left under the old key.
        AliasLetsHoldersIn,
        /// The lock of a session is taken under the alias that was requested.
        AliasIsLocked,
        /// A waiter through an alias gets the result of the key behind it, not that of the alias.
        AliasIsForgotten,

        /// `touch` creates a missing record.
        TouchUpserts,
        /// `touch` revives an expired record.
        TouchRevives,
        /// `touch` can move the deadline back.
        TouchShortens,
        /// `touch` can move the last activity back.
        TouchRewinds,
        /// `touch` adds a deadline to a record without one.
        TouchLimits,
        /// `touch` without a deadline leaves the deadline unchanged.
        TouchIgnoresNone,
        /// `touch` counts as a write.
        TouchCounts,
        /// `touch` waits for the lock.
        TouchWaits,
        /// `touch` releases the lock.
        TouchUnlocks,
        /// `touch` of a tombstone touches the moved session.
        TouchFollowsTombstone,
        /// `touch` moves the deadline first and the last activity in a second step.
        TouchTorn,
        /// `touch` reads the whole record and writes it back later.
        TouchOverwrites,
        /// `touch` does not update the timer that removes the expired record.
        TouchKeepsOldTimer,
        /// `touch` does not check the version.
        TouchIgnoresVersion,
        /// `touch` with a stale version does nothing, but reports success.
        TouchHidesTheStale,
        /// `touch` checks the version and writes in two steps.
        TouchInTwoSteps,

        /// `destroy` reports success and does nothing.
        DestroyDoesNothing,
        /// `destroy` keeps the lock.
        DestroyKeepsLock,
        /// `destroy` removes the aliases and tombstones of the session.
        DestroyRemovesAliases,
        /// `destroy` waits for the lock.
        DestroyWaits,
        /// `destroy` removes tombstones.
        DestroyRemovesTombstones,
        /// `destroy` of a tombstone keeps the moved session.
        DestroyIgnoresTombstone,
        /// `destroy` follows one move from a tombstone, and no further ones.
        DestroyFollowsOneMove,
        /// `destroy` limits the number of aliases that it follows.
        DestroyCountsAliases,
        /// `destroy` of a tombstone removes the record of the moved session and keeps its lock.
        DestroyKeepsMovedLock,
        /// `destroy` locates the session and removes it in two steps.
        DestroyInTwoSteps,
        /// `destroy` of a missing session reports that it found one.
        DestroyAlwaysFinds,
        /// `destroy` leaves an empty entry.
        DestroyLeavesEntry,
        /// `destroy` removes the lock, then the record.
        DestroyTorn,

        /// Everything lives a millisecond too long.
        ExpiresLate,
        /// Everything lives a millisecond too short.
        ExpiresEarly,
        /// Deadlines are rounded down to seconds.
        ExpiresBySeconds,
        /// Locked records do not expire.
        ExpiresNotUnderLock,
        /// Deadlines beyond 32 bits of seconds wrap around.
        ExpiryOverflows,
        /// A deadline in the past counts as none.
        ExpiryOfThePastIsNone,
        /// No record lives longer than a year.
        ExpiryIsCapped,

        /// `scan` uses the number of listed sessions as its cursor.
        ScanSkips,
        /// `scan` lists expired records.
        ScanListsTheExpired,
        /// `scan` lists tombstones and aliases.
        ScanListsTombstones,
        /// `scan` omits locked records.
        ScanOmitsLocked,
        /// `scan` lists more than its limit.
        ScanIgnoresLimit,
        /// `scan` starts again after its end.
        ScanNeverEnds,
        /// The cursors of `scan` work for one handle only.
        ScanCursorIsLocal,
        /// `scan` locks the listed sessions.
        ScanLocks,
        /// `sweep` returns records without removing them.
        SweepReturnsTwice,
        /// `sweep` removes every record that has a deadline.
        SweepTakesLiving,
        /// `sweep` removes more than its limit.
        SweepIgnoresLimit,
        /// `sweep` skips records.
        SweepForgets,
        /// `sweep` keeps expired tombstones.
        SweepLeavesTombstones,
        /// `sweep` finds and removes in two steps.
        SweepInTwoSteps,
        /// `sweep` returns records without their payload.
        SweepReturnsEmpty,

        /// The storage lost a capability.
        UsageIsMissing,
        /// `usage` returns the largest value so far.
        UsageNeverShrinks,
        /// `usage` assumes the same size for all sessions.
        UsageIgnoresPayloads,

        /// Sessions cannot be watched any more.
        WatchIsMissing,
        /// Creating wakes no watch.
        WatchMissesCreates,
        /// `replace` wakes no watch.
        WatchMissesReplaces,
        /// `rotate` wakes the watches of the old key only.
        WatchMissesArrivals,
        /// `destroy` wakes the watches of the key that it is given.
        WatchEndsTheKeyItIsGiven,
        /// `sweep` wakes no watch.
        WatchMissesSweeps,
        /// The watches of each handle are its own.
        WatchIsLocal,
        /// Watches are woken before the step.
        WatchWakesEarly,
        /// No more than a thousand sessions are watched.
        WatchHasALimit,
        /// Only the last watch of a session is woken.
        WatchIsReplaced,
    } };
}

pub(super) use lifetime_bugs;
