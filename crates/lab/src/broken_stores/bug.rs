//! [`StoreBug`]: the bugs of broken record stores.

use std::fmt;

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $bug:ident,)+) => {
        /// A bug of a [`BrokenStore`](crate::BrokenStore).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum StoreBug {
            $($(#[doc = $doc])+ $bug,)+
        }

        impl StoreBug {
            /// Every bug.
            pub const ALL: &[Self] = &[$(Self::$bug,)+];
        }
    };
}

bugs! {
    /// `load` of an unknown key returns an empty entry.
    LoadInvents,
    /// `load` omits expired entries.
    LoadHidesExpired,
    /// A second handle returns the entry that it loaded first.
    LoadIsCached,
    /// `load` mixes up the keys of one shard.
    LoadMixesShards,
    /// `load` returns another version.
    LoadMovesVersion,
    /// `head` returns the head that was inserted.
    HeadIsOld,

    /// `insert` replaces an existing entry.
    InsertOverwrites,
    /// `insert` replaces an expired entry.
    InsertReplacesExpired,
    /// `insert` of an identical entry reports that it was applied.
    InsertRepeats,
    /// `insert` refuses a key that was in use before.
    InsertRemembers,
    /// `insert` checks and writes in two steps.
    InsertInTwoSteps,
    /// `insert` stores the head first and the payload in a second step.
    InsertTorn,

    /// `replace` does not check the version.
    ReplaceIgnoresVersion,
    /// `replace` compares the lower half of the version.
    ReplaceComparesHalf,
    /// `replace` also accepts the previous version of an entry.
    ReplaceTakesEarlier,
    /// `replace` creates a missing entry.
    ReplaceUpserts,
    /// `replace` keeps the meta.
    ReplaceKeepsMeta,
    /// `replace` keeps the deadline.
    ReplaceKeepsDeadline,
    /// `replace` does not change an expired entry.
    ReplaceRefusesExpired,
    /// `replace` checks and writes in two steps.
    ReplaceInTwoSteps,
    /// `replace` stores the head first and the payload in a second step.
    ReplaceTorn,
    /// `replace` writes in the background after the call was dropped.
    ReplaceComesLater,

    /// `touch` does not check the version.
    TouchIgnoresVersion,
    /// `touch` creates a missing entry.
    TouchUpserts,
    /// `touch` keeps the version.
    TouchKeepsVersion,
    /// `touch` drops the payload.
    TouchDropsPayload,
    /// `touch` keeps the meta.
    TouchKeepsMeta,
    /// `touch` cannot move the deadline back.
    TouchNeverShortens,
    /// `touch` does not change an expired entry.
    TouchRefusesExpired,
    /// `touch` reads the entry and writes it back in two steps.
    TouchInTwoSteps,
    /// `touch` stores the version first and the rest of the head in a second step.
    TouchTorn,

    /// `rename` does not check the version.
    RenameIgnoresVersion,
    /// `rename` replaces an entry under the new key.
    RenameOverwrites,
    /// `rename` replaces an expired entry under the new key.
    RenameReplacesExpired,
    /// `rename` creates a missing entry.
    RenameUpserts,
    /// `rename` keeps the entry under the old key as well.
    RenameKeepsOld,
    /// `rename` does not store the entry that should stay under the old key.
    RenameForgetsLeft,
    /// `rename` stores the old entry under the new key.
    RenameForgetsEntry,
    /// `rename` to the same key removes the entry.
    RenameToItself,
    /// `rename` does not change an expired entry.
    RenameRefusesExpired,
    /// `rename` checks and writes in two steps.
    RenameInTwoSteps,
    /// `rename` writes one key first and the other in a second step.
    RenameTorn,

    /// `remove` does not check the version.
    RemoveIgnoresVersion,
    /// `remove` does nothing.
    RemoveDoesNothing,
    /// `remove` of a missing entry reports that it was applied.
    RemoveSaysYes,
    /// `remove` does not change an expired entry.
    RemoveRefusesExpired,
    /// `remove` checks and writes in two steps.
    RemoveInTwoSteps,
    /// `remove` drops the payload first and the head in a second step.
    RemoveTorn,

    /// `scan` uses the number of listed entries as its cursor.
    ScanSkips,
    /// `scan` ends after its first page.
    ScanEndsEarly,
    /// `scan` does not end.
    ScanNeverEnds,
    /// `scan` returns more than its limit.
    ScanIgnoresLimit,
    /// `scan` omits expired entries.
    ScanHidesExpired,
    /// `scan` lists removed entries, and heads as they were inserted.
    ScanIsOld,
    /// The cursors of `scan` work for one handle only.
    ScanCursorIsLocal,
    /// `scan` removes the listed entries.
    ScanRemoves,

    /// `take_expired` does not remove the returned entries.
    TakeLeaves,
    /// `take_expired` takes entries a millisecond before their deadline.
    TakeIsEarly,
    /// `take_expired` leaves entries whose deadline is now.
    TakeIsLate,
    /// `take_expired` takes entries without a deadline.
    TakeTakesUndated,
    /// `take_expired` returns more than its limit.
    TakeIgnoresLimit,
    /// `take_expired` returns fewer entries than are due.
    TakeStopsShort,
    /// `take_expired` returns entries without their payload.
    TakeDropsPayload,
    /// `take_expired` uses the deadline with which an entry was inserted.
    TakeGoesByOldDeadline,
    /// `take_expired` leaves a marker that keeps the key in use.
    TakeKeepsKey,
    /// `take_expired` finds and removes in two steps.
    TakeInTwoSteps,
    /// `take_expired` removes one entry at a time.
    TakeTorn,

    /// Versions lose their upper half.
    VersionIsCut,
    /// Deadlines are stored in seconds.
    DeadlineInSeconds,
    /// A deadline in the past counts as none.
    DeadlineOfThePastIsNone,
    /// Metas are cut at 128 bytes.
    MetaIsCut,
    /// Metas are treated as text.
    MetaIsText,
    /// Payloads are treated as text.
    PayloadIsText,
    /// Payloads are cut at 64 KiB.
    PayloadIsCut,
    /// Payloads are cut at one mebibyte.
    PayloadIsCutLate,
    /// An entry without a payload is not stored.
    PayloadEmptyIsNone,
}

impl fmt::Display for StoreBug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
