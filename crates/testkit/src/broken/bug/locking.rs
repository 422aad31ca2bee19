//! Bugs of locks: waiting, leases, releases and draining.

/// Appends these bugs to a list and passes it to the next macro.
macro_rules! locking_bugs {
    ($next:ident $($then:ident)*; $($bugs:tt)*) => { $next! { $($then)*; $($bugs)*
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

        /// The plain `lock` leaves somebody in the queue who is not there.
        AtOnceQueues,
        /// The plain `lock` fails where it would have to wait.
        AtOnceFailsWhereItWaits,
        /// The plain functions name a moment that has not come.
        AtOnceIsOfAnotherMoment,
        /// The plain `replace` does not compare.
        AtOnceReplacesAnything,

        /// `drain` does nothing, without having said so.
        DrainDoesNothing,
        /// `drain` gives up locks at once, however much patience there is.
        DrainIgnoresHolders,
        /// `drain` waits for as long as it may, even if nothing is held.
        DrainIgnoresReleases,
    } };
}

pub(super) use locking_bugs;
