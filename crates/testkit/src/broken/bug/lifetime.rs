//! Bugs of keys and lifetimes: rotation, activity, destruction, expiry, listing and usage.

/// Appends these bugs to a list and passes it to the next macro.
macro_rules! lifetime_bugs {
    ($next:ident $($then:ident)*; $($bugs:tt)*) => { $next! { $($then)*; $($bugs)*
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
        RotateDisarmsOnFailure,
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

        /// A capability got lost on the way.
        UsageIsMissing,
        /// `usage` tells the most there ever was.
        UsageNeverShrinks,
        /// `usage` takes all sessions for equally large.
        UsageIgnoresPayloads,
    } };
}

pub(super) use lifetime_bugs;
