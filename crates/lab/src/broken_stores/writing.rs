//! Bugs of writing.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sessile_core::{Entry, EntryHead, EntryVersion, SessionKey, Timestamp};
use sessile_testkit::__private::is;
use sessile_testkit::model::Entries;

use super::StoreBug;

/// The past of a store, which only bugs use.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Entries as they were inserted.
    pub(super) inserted: Entries,
    /// Keys that were in use.
    used: BTreeSet<SessionKey>,
    /// The version before the last.
    earlier: BTreeMap<SessionKey, EntryVersion>,
    /// Keys whose entry was taken.
    pub(super) taken: BTreeSet<SessionKey>,
}

/// A conditional write.
#[derive(Debug, Clone)]
pub(super) enum Write {
    Insert(SessionKey, Entry),
    Replace(SessionKey, EntryVersion, Entry),
    Touch(SessionKey, EntryVersion, EntryHead),
    Rename(SessionKey, EntryVersion, Option<Entry>, SessionKey, Entry),
    Remove(SessionKey, EntryVersion),
}

impl Write {
    /// Returns whether this bug checks first and writes later.
    pub(super) fn is_in_two_steps(&self, bug: StoreBug) -> bool {
        match self {
            Self::Insert(..) => bug == StoreBug::InsertInTwoSteps,
            Self::Replace(..) => bug == StoreBug::ReplaceInTwoSteps,
            Self::Touch(..) => bug == StoreBug::TouchInTwoSteps,
            Self::Rename(..) => bug == StoreBug::RenameInTwoSteps,
            Self::Remove(..) => bug == StoreBug::RemoveInTwoSteps,
        }
    }

    /// Returns whether the condition of the write holds.
    pub(super) fn holds(&self, bug: StoreBug, entries: &Entries, past: &Past) -> bool {
        match self {
            Self::Insert(key, entry) => match entries.get(key) {
                _ if bug == StoreBug::TakeKeepsKey && past.taken.contains(key) => false,
                None => bug != StoreBug::InsertRemembers || !past.used.contains(key),
                Some(old) => match bug {
                    StoreBug::InsertOverwrites => true,
                    StoreBug::InsertReplacesExpired => is_past(old),
                    StoreBug::InsertRepeats => old == entry,
                    _ => false,
                },
            },
            Self::Replace(key, version, _) => match bug {
                StoreBug::ReplaceIgnoresVersion => entries.contains_key(key),
                StoreBug::ReplaceComparesHalf => entries.get(key).is_some_and(|old| same_half(old, *version)),
                StoreBug::ReplaceTakesEarlier => {
                    is(entries, key, *version) || entries.contains_key(key) && past.earlier.get(key) == Some(version)
                }
                StoreBug::ReplaceUpserts => !entries.contains_key(key) || is(entries, key, *version),
                StoreBug::ReplaceRefusesExpired => is(entries, key, *version) && !is_past(&entries[key]),
                _ => is(entries, key, *version),
            },
            Self::Touch(key, version, _) => match bug {
                StoreBug::TouchIgnoresVersion => entries.contains_key(key),
                StoreBug::TouchUpserts => !entries.contains_key(key) || is(entries, key, *version),
                StoreBug::TouchRefusesExpired => is(entries, key, *version) && !is_past(&entries[key]),
                _ => is(entries, key, *version),
            },
            Self::Rename(from, version, _, to, _) => {
                let stands = match bug {
                    StoreBug::RenameIgnoresVersion => entries.contains_key(from),
                    StoreBug::RenameUpserts => !entries.contains_key(from) || is(entries, from, *version),
                    StoreBug::RenameRefusesExpired => is(entries, from, *version) && !is_past(&entries[from]),
                    _ => is(entries, from, *version),
                };
                let free = match entries.get(to) {
                    None => true,
                    Some(_) if from == to => bug == StoreBug::RenameToItself,
                    Some(_) if bug == StoreBug::RenameOverwrites => true,
                    Some(old) => bug == StoreBug::RenameReplacesExpired && is_past(old),
                };
                stands && free
            }
            Self::Remove(key, version) => match bug {
                StoreBug::RemoveIgnoresVersion => entries.contains_key(key),
                StoreBug::RemoveSaysYes => !entries.contains_key(key) || is(entries, key, *version),
                StoreBug::RemoveRefusesExpired => is(entries, key, *version) && !is_past(&entries[key]),
                _ => is(entries, key, *version),
            },
        }
    }

    /// Writes the first half of a torn write. Returns whether there is one.
    pub(super) fn begin(&self, bug: StoreBug, entries: &mut Entries) -> bool {
        match (bug, self) {
            (StoreBug::InsertTorn, Self::Insert(key, entry)) => {
                entries.insert(*key, Entry::new(entry.head.clone(), Bytes::new()));
            }
            (StoreBug::ReplaceTorn, Self::Replace(key, _, entry)) => {
                if let Some(old) = entries.get_mut(key) {
                    old.head = entry.head.clone();
                }
            }
            (StoreBug::TouchTorn, Self::Touch(key, _, head)) => {
                if let Some(old) = entries.get_mut(key) {
                    old.head.version = head.version;
                }
            }
            (StoreBug::RenameTorn, Self::Rename(_, _, _, to, entry)) => drop(entries.insert(*to, entry.clone())),
            (StoreBug::RemoveTorn, Self::Remove(key, _)) => {
                if let Some(old) = entries.get_mut(key) {
                    old.payload = Bytes::new();
                }
            }
            _ => return false,
        }
        true
    }

    /// Applies the write.
    pub(super) fn apply(self, bug: StoreBug, entries: &mut Entries, past: &mut Past) {
        match self {
            Self::Insert(key, entry) => {
                let entry = stored(bug, entry);
                past.used.insert(key);
                past.taken.remove(&key);
                past.inserted.insert(key, entry.clone());
                entries.insert(key, entry);
            }
            Self::Replace(key, version, entry) => {
                let mut entry = stored(bug, entry);
                past.earlier.insert(key, version);
                match (bug, entries.get(&key)) {
                    (StoreBug::ReplaceKeepsMeta, Some(old)) => entry.head.meta = old.head.meta.clone(),
                    (StoreBug::ReplaceKeepsDeadline, Some(old)) => entry.head.deadline = old.head.deadline,
                    _ => {}
                }
                entries.insert(key, entry);
            }
            Self::Touch(key, version, head) => {
                past.earlier.insert(key, version);
                let old = entries.get(&key).cloned();
                let old = old.unwrap_or_else(|| Entry::new(head.clone(), Bytes::new()));
                let mut entry = stored(bug, Entry::new(head, old.payload.clone()));
                match bug {
                    StoreBug::TouchKeepsVersion => entry.head.version = old.head.version,
                    StoreBug::TouchDropsPayload => entry.payload = Bytes::new(),
                    StoreBug::TouchKeepsMeta => entry.head.meta = old.head.meta,
                    StoreBug::TouchNeverShortens => entry.head.deadline = later(old.head.deadline, entry.head.deadline),
                    _ => {}
                }
                entries.insert(key, entry);
            }
            Self::Rename(from, _, left, to, entry) => {
                let old = match bug {
                    StoreBug::RenameKeepsOld => entries.get(&from).cloned(),
                    _ => entries.remove(&from),
                };
                if bug != StoreBug::RenameForgetsLeft {
                    entries.extend(left.map(|left| (from, stored(bug, left))));
                }
                let entry = match (bug, old) {
                    (StoreBug::RenameForgetsEntry, Some(old)) => old,
                    _ => stored(bug, entry),
                };
                entries.insert(to, entry);
            }
            Self::Remove(key, _) => {
                if bug != StoreBug::RemoveDoesNothing {
                    entries.remove(&key);
                }
            }
        }
    }
}

fn is_past(entry: &Entry) -> bool {
    // An arbitrary moment that is before today and after the past of the cases.
    let today = Timestamp::from_millis(1_600_000_000_000);
    entry.head.deadline.is_some_and(|deadline| deadline <= today)
}

fn same_half(entry: &Entry, version: EntryVersion) -> bool {
    let lower = |version: EntryVersion| version.as_u64() & u64::from(u32::MAX);
    lower(entry.head.version) == lower(version)
}

fn later(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    Some(one?.max(other?))
}

fn cut(bytes: &Bytes, length: usize) -> Bytes {
    bytes.slice(..bytes.len().min(length))
}

fn as_text(bytes: &Bytes) -> Bytes {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// Returns an entry as this store stores it.
fn stored(bug: StoreBug, mut entry: Entry) -> Entry {
    let head = &mut entry.head;
    match bug {
        StoreBug::VersionIsCut => head.version = EntryVersion::from_u64(head.version.as_u64() & u64::from(u32::MAX)),
        StoreBug::DeadlineInSeconds => {
            head.deadline = head
                .deadline
                .map(|at| Timestamp::from_millis(at.as_millis() / 1_000 * 1_000));
        }
        StoreBug::DeadlineOfThePastIsNone => head.deadline = head.deadline.filter(|at| at.as_millis() > 1_000),
        StoreBug::MetaIsCut => head.meta = cut(&head.meta, 128),
        StoreBug::MetaIsText => head.meta = as_text(&head.meta),
        StoreBug::PayloadIsText => entry.payload = as_text(&entry.payload),
        StoreBug::PayloadIsCut => entry.payload = cut(&entry.payload, 1 << 16),
        StoreBug::PayloadIsCutLate => entry.payload = cut(&entry.payload, 1 << 20),
        _ => {}
    }
    entry
}
