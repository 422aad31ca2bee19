//! Bugs of records: creating, reading and writing them, payloads, and a storage that is full.

/// Appends these bugs to a list and passes it to the next macro.
macro_rules! writing_bugs {
    ($next:ident $($then:ident)*; $($bugs:tt)*) => { $next! { $($then)*; $($bugs)*
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
        CommitDoesNotDisarm,
        /// `commit` marks the lock as spent when it fails.
        CommitDisarmsOnFailure,
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

        /// A full storage removes a session to make room for another.
        FullRemovesAnother,
        /// A full storage spends the lock of a commit that it refuses.
        FullDisarmsTheLock,
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
    } };
}

pub(super) use writing_bugs;
