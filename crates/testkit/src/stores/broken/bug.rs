//! [`StoreBug`]: the list of what can be wrong with a record store.

use std::fmt;

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $bug:ident,)+) => {
        /// What is wrong with a [`BrokenStore`](crate::BrokenStore).
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
    /// `load` answers for an unknown key with an empty entry.
    LoadInvents,
    /// `load` takes out what has expired for nothing.
    LoadHidesExpired,
    /// `load` by a second handle answers from what that handle read before.
    LoadIsCached,
    /// `load` confuses the keys of one shard.
    LoadMixesShards,
    /// `load` gives the entry another version.
    LoadMovesVersion,
    /// `head` answers with the head that was inserted.
    HeadIsOld,

    /// `insert` replaces what is there.
    InsertOverwrites,
    /// `insert` replaces what has expired.
    InsertReplacesExpired,
    /// `insert` says that it was applied if the same entry is there.
    InsertRepeats,
    /// `insert` refuses a key that was used before.
    InsertRemembers,
    /// `insert` looks and writes in two steps.
    InsertInTwoSteps,
    /// `insert` stores the head, then the payload.
    InsertTorn,

    /// `replace` asks for no version.
    ReplaceIgnoresVersion,
    /// `replace` compares the lower half of a version.
    ReplaceComparesHalf,
    /// `replace` also takes the version an entry had before.
    ReplaceTakesEarlier,
    /// `replace` creates what is missing.
    ReplaceUpserts,
    /// `replace` keeps the meta.
    ReplaceKeepsMeta,
    /// `replace` keeps the deadline.
    ReplaceKeepsDeadline,
    /// `replace` leaves what has expired as it is.
    ReplaceRefusesExpired,
    /// `replace` looks and writes in two steps.
    ReplaceInTwoSteps,
    /// `replace` stores the head, then the payload.
    ReplaceTorn,
    /// `replace` goes on in the background when it is dropped, and nobody waits for it.
    ReplaceComesLater,

    /// `touch` asks for no version.
    TouchIgnoresVersion,
    /// `touch` creates what is missing.
    TouchUpserts,
    /// `touch` keeps the version.
    TouchKeepsVersion,
    /// `touch` drops the payload.
    TouchDropsPayload,
    /// `touch` keeps the meta.
    TouchKeepsMeta,
    /// `touch` never moves a deadline back.
    TouchNeverShortens,
    /// `touch` leaves what has expired as it is.
    TouchRefusesExpired,
    /// `touch` reads the entry and writes it back in two steps.
    TouchInTwoSteps,
    /// `touch` stores the version, then the rest of the head.
    TouchTorn,

    /// `rename` asks for no version.
    RenameIgnoresVersion,
    /// `rename` replaces what is under the new key.
    RenameOverwrites,
    /// `rename` replaces what has expired under the new key.
    RenameReplacesExpired,
    /// `rename` creates what is missing.
    RenameUpserts,
    /// `rename` leaves the entry under the old key as well.
    RenameKeepsOld,
    /// `rename` forgets what was to be left.
    RenameForgetsLeft,
    /// `rename` stores the old entry under the new key.
    RenameForgetsEntry,
    /// `rename` to the same key removes the entry.
    RenameToItself,
    /// `rename` leaves what has expired as it is.
    RenameRefusesExpired,
    /// `rename` looks and writes in two steps.
    RenameInTwoSteps,
    /// `rename` writes one key, then the other.
    RenameTorn,

    /// `remove` asks for no version.
    RemoveIgnoresVersion,
    /// `remove` does nothing.
    RemoveDoesNothing,
    /// `remove` says of what is missing that it was removed.
    RemoveSaysYes,
    /// `remove` leaves what has expired as it is.
    RemoveRefusesExpired,
    /// `remove` looks and writes in two steps.
    RemoveInTwoSteps,
    /// `remove` drops the payload, then the head.
    RemoveTorn,

    /// `scan` goes on from a number.
    ScanSkips,
    /// `scan` ends after its first part.
    ScanEndsEarly,
    /// `scan` never ends.
    ScanNeverEnds,
    /// `scan` returns more than it was asked for.
    ScanIgnoresLimit,
    /// `scan` leaves out what has expired.
    ScanHidesExpired,
    /// `scan` lists what was removed, and heads as they were inserted.
    ScanIsOld,
    /// `scan` can only be continued where it began.
    ScanCursorIsLocal,
    /// `scan` removes what it has listed.
    ScanRemoves,

    /// `take_expired` leaves what it returns.
    TakeLeaves,
    /// `take_expired` takes what is due a millisecond later.
    TakeIsEarly,
    /// `take_expired` leaves what is due at this very moment.
    TakeIsLate,
    /// `take_expired` takes what has no deadline.
    TakeTakesUndated,
    /// `take_expired` returns more than it was asked for.
    TakeIgnoresLimit,
    /// `take_expired` returns fewer than there are.
    TakeStopsShort,
    /// `take_expired` returns entries without their payload.
    TakeDropsPayload,
    /// `take_expired` goes by the deadline with which an entry was inserted.
    TakeGoesByOldDeadline,
    /// `take_expired` leaves a mark that keeps the key taken.
    TakeKeepsKey,
    /// `take_expired` looks and removes in two steps.
    TakeInTwoSteps,
    /// `take_expired` removes one after the other.
    TakeTorn,

    /// Versions lose their upper half.
    VersionIsCut,
    /// Deadlines are kept in seconds.
    DeadlineInSeconds,
    /// A deadline of the past is none.
    DeadlineOfThePastIsNone,
    /// Metas end at 128 bytes.
    MetaIsCut,
    /// Metas are taken for text.
    MetaIsText,
    /// Payloads are taken for text.
    PayloadIsText,
    /// Payloads end at 64 KiB.
    PayloadIsCut,
    /// Payloads end at a mebibyte.
    PayloadIsCutLate,
    /// An entry without a payload is no entry.
    PayloadEmptyIsNone,
}

impl fmt::Display for StoreBug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
