//! Bugs of records: creating, reading and writing them, payloads, and full storages.

/// Appends these bugs to a list and passes it to the next macro.
macro_rules! writing_bugs {
    ($next:ident $($then:ident)*; $($bugs:tt)*) => { $next! { $($then)*; $($bugs)*
        /// `create` replaces an existing record.
        CreateOverwrites,
        /// `create` checks and writes in two steps.
        CreateInTwoSteps,
        /// `create` replaces a tombstone or an alias.
        CreateReplacesTombstones,
        /// `create` refuses a key whose record has expired and is not swept.
        CreateRefusesTheExpired,
        /// `create` stores the metadata first and the payload in a second step.
        CreateTorn,
        /// `create` leaves the new record locked.
        CreateLocks,
        /// `create` resets the times of creation and of the last activity.
        CreateResetsTimes,
        /// `create` adds a deadline to a record without one.
        CreateInventsDeadline,
        /// The timer of an expired record removes its successor.
        CreateKeepsOldTimer,

        /// `read` waits for the lock.
        ReadWaits,
        /// `read` takes the lock.
        ReadLocks,
        /// `read` counts as activity.
        ReadTouches,
        /// `read` mixes up the keys of one shard.
        ReadMixesShards,
        /// `read` of an unknown key returns an empty session.
        ReadInvents,
        /// A second handle returns the record that it read first.
        ReadIsCached,

        /// `commit` does not check the token.
        CommitIgnoresToken,
        /// `commit` checks the token but not the lease.
        CommitIgnoresLease,
        /// `commit` creates a missing record.
        CommitUpserts,
        /// `commit` revives an expired record.
        CommitRevives,
        /// `commit` writes to a key that the session has left.
        CommitIgnoresTombstone,
        /// `commit` keeps the lock.
        CommitKeepsLock,
        /// `commit` does not disarm the lock.
        CommitDoesNotDisarm,
        /// `commit` disarms the lock when it fails.
        CommitDisarmsOnFailure,
        /// `commit` replaces the payload and keeps the metadata.
        CommitKeepsMeta,
        /// `commit` cannot move the deadline back.
        CommitNeverShortens,
        /// `commit` checks the lock and writes in two steps.
        CommitInTwoSteps,
        /// `commit` writes the payload in two halves.
        CommitTorn,
        /// `commit` writes in the background, without checking the lock again.
        CommitComesLater,

        /// `replace` reports success and does nothing.
        ReplaceDoesNothing,
        /// `replace` never replaces anything.
        ReplaceNeverDoes,
        /// `replace` replaces the payload and, of the metadata, only the version.
        ReplaceKeepsTimes,
        /// `replace` leaves the session locked.
        ReplaceLocks,
        /// `replace` does not recognise a record that another handle has read.
        ReplaceIsPerHandle,
        /// `replace` does not compare the version.
        ReplaceIgnoresVersion,
        /// `replace` compares the version only.
        ReplaceIgnoresTouches,
        /// `replace` does not check for a lock.
        ReplaceIgnoresLock,
        /// `replace` of a locked session does nothing, but releases the lock.
        ReplaceUnlocks,
        /// `replace` waits for the lock.
        ReplaceWaits,
        /// `replace` does nothing after the lease of a lock has ended.
        ReplaceIgnoresLease,
        /// `replace` revives a lock whose lease has ended.
        ReplaceRevivesLock,
        /// `replace` extends the lease of a lock that prevents it.
        ReplaceProlongsLease,
        /// `replace` creates a missing record.
        ReplaceUpserts,
        /// `replace` revives an expired record.
        ReplaceRevives,
        /// `replace` of a missing record is no error.
        ReplaceHidesTheEnd,
        /// `replace` writes to a key that the session has left.
        ReplaceIgnoresTombstone,
        /// `replace` through an alias writes to the session.
        ReplaceFollowsAlias,
        /// `replace` removes the aliases and tombstones of the session.
        ReplaceRemovesAliases,
        /// `replace` compares and writes in two steps.
        ReplaceInTwoSteps,
        /// `replace` writes the payload in two halves.
        ReplaceTorn,
        /// Errors of `replace` name another operation.
        ReplaceHasNoName,

        /// A full storage removes a session to make room for another.
        FullRemovesAnother,
        /// A full storage disarms the lock of a refused commit.
        FullDisarmsTheLock,
        /// A full storage replaces the record, but reports that it is full.
        FullReplacesAnyway,
        /// A full storage leaves a tombstone for a refused rotation.
        FullMovesAnyway,
        /// A full storage still counts destroyed sessions.
        FullForGood,
        /// The immediate `create` ignores the limit.
        FullNotImmediate,

        /// Payloads are treated as text.
        PayloadIsText,
        /// Payloads lose leading and trailing white space.
        PayloadIsTrimmed,
        /// Payloads are cut at 64 KiB.
        PayloadIsCut,
        /// Payloads are cut at one mebibyte.
        PayloadIsCutLate,
        /// An empty payload is not written.
        PayloadEmptyIsNone,

        /// Facts longer than half their limit are lost.
        FactsAreCut,
        /// `commit` keeps the facts that were stored.
        FactsStayOnCommit,
        /// `replace` keeps the facts that were stored.
        FactsStayOnReplace,
        /// A write without facts keeps those that were stored.
        FactsStayWithoutOthers,
        /// Every record gets the same facts.
        FactsAreInvented,
        /// `rotate` loses the facts.
        FactsAreLostOnRotate,
        /// `rotate` with a grace loses the facts.
        FactsAreLostByAliases,
        /// `touch` loses the facts.
        FactsAreLostOnTouch,
        /// `release` loses the facts.
        FactsAreLostOnRelease,
        /// `lock` returns the record without facts.
        FactsAreNotLocked,
        /// `scan` lists records without facts.
        FactsAreNotListed,
        /// `sweep` returns records without facts.
        FactsAreNotSwept,
        /// `replace` does not compare the facts.
        FactsAreNotCompared,
        /// `scan` omits records that are no sessions.
        FactsHideOtherRecords,
        /// `scan` counts the facts as a part of the payload.
        FactsCountAsPayload,

        /// Errors do not name the operation.
        ErrorsAreAnonymous,
    } };
}

pub(super) use writing_bugs;
