//! Bugs of locks: waiting, leases, releases and draining.

/// Appends these bugs to a list and passes it to the next macro.
macro_rules! locking_bugs {
    ($next:ident $($then:ident)*; $($bugs:tt)*) => { $next! { $($then)*; $($bugs)*
        /// `lock` grants the lock to every caller.
        LockIgnoresHolder,
        /// `lock` uses one lock for all sessions of a shard.
        LockIsShared,
        /// `lock` leaves an entry for an unknown key.
        LockLeavesEntry,
        /// `lock` waits for a missing session.
        LockWaitsForTheMissing,
        /// `lock` returns the record from before the wait.
        LockReturnsStaleRecord,
        /// `lock` returns the record without its payload.
        LockReturnsEmpty,
        /// `lock` repeats the same token.
        LockRepeatsToken,
        /// `lock` keeps the lock when the call is dropped after it took effect.
        LockStaysWhenDropped,
        /// `lock` serves the last waiter first.
        LockIsLifo,
        /// `lock` serves a new caller before the waiters.
        LockSkipsQueue,
        /// `lock` accepts any number of waiters.
        LockIsUnbounded,
        /// `lock` counts the waiters of all sessions together.
        LockBoundIsShared,
        /// A dropped waiter stays in the queue, and the notification for it is lost.
        LockLosesWakeUp,
        /// `lock` exceeds its wait.
        LockOverstays,
        /// `lock` fails before its wait has ended.
        LockGivesUpEarly,
        /// An unlimited wait overflows, and `lock` does not wait at all.
        LockOverflows,
        /// Waiters are not notified when the session ends.
        LockMissesTheEnd,
        /// Waiters are not notified when the session moves.
        LockMissesTheMove,
        /// Only the end of the lease wakes waiters.
        LockPollsSlowly,

        /// Leases do not end.
        LeaseNeverEnds,
        /// The record is removed when the lease ends.
        LeaseTakesRecord,
        /// Leases end at half their time.
        LeaseEndsEarly,
        /// `renew` revives a lock whose lease has ended.
        RenewRevives,
        /// `renew` does not check the token.
        RenewIgnoresToken,
        /// `renew` does nothing.
        RenewDoesNothing,
        /// `renew` adds to the lease instead of restarting it.
        RenewAddsUp,
        /// `renew` releases the lock and takes it again.
        RenewTorn,
        /// `renew` of a session that is gone succeeds.
        RenewIgnoresRecord,
        /// `release` does not check the token.
        ReleaseIgnoresToken,
        /// `release` does nothing.
        ReleaseDoesNothing,
        /// `release` writes.
        ReleaseWrites,
        /// `release` of a lost lock is an error.
        ReleaseFailsWhenLost,
        /// `release` loses the lock when the call is dropped.
        ReleaseTorn,
        /// Dropping a lock does not release it.
        DropDoesNothing,
        /// Dropping a lock releases it for another holder too.
        DropIgnoresToken,

        /// The immediate `lock` leaves an entry in the queue.
        ImmediateQueues,
        /// The immediate `lock` fails where it should return `None`.
        ImmediateFailsWhereItWaits,
        /// The immediate functions return a time in the future.
        ImmediateIsOfAnotherMoment,
        /// The immediate `replace` does not compare.
        ImmediateReplacesAnything,

        /// `drain` does nothing, but the profile does not say so.
        DrainDoesNothing,
        /// `drain` releases locks immediately, without waiting for their holders.
        DrainIgnoresHolders,
        /// `drain` waits for its full limit, even if no lock is held.
        DrainIgnoresReleases,
    } };
}

pub(super) use locking_bugs;
