//! [`Folders`]: the folders whose changes are to be reported, and those that are.

use std::collections::{BTreeMap, BTreeSet};

use sessile_core::SessionKey;

use crate::folder::layout::{leaf_of, stripe_of};

/// A stripe and a leaf in it.
pub(super) type Leaf = (u8, u8);

/// The watched keys by their folders, and the numbers under which the operating system reports these.
#[derive(Default)]
pub(super) struct Folders {
    leaves: BTreeMap<Leaf, Watched>,
    by_number: BTreeMap<i32, Leaf>,
    /// Folders of which none of the keys is watched any more, and that are still reported.
    left: Vec<i32>,
}

/// A folder with watched keys.
#[derive(Default)]
struct Watched {
    /// The number of watches of each key.
    keys: BTreeMap<SessionKey, usize>,
    /// `None` until changes are reported.
    number: Option<i32>,
}

fn leaf(key: &SessionKey) -> Leaf {
    (stripe_of(key), leaf_of(key))
}

impl Folders {
    /// Adds a watch of a key.
    pub(super) fn add(&mut self, key: &SessionKey) {
        *self.leaves.entry(leaf(key)).or_default().keys.entry(*key).or_default() += 1;
    }

    /// Removes a watch of a key. Returns whether a folder needs no reports any more.
    pub(super) fn remove(&mut self, key: &SessionKey) -> bool {
        let leaf = leaf(key);
        let Some(folder) = self.leaves.get_mut(&leaf) else {
            return false;
        };
        if let Some(watches) = folder.keys.get_mut(key) {
            *watches -= 1;
            if *watches == 0 {
                folder.keys.remove(key);
            }
        }
        if !folder.keys.is_empty() {
            return false;
        }
        let removed = self.leaves.remove(&leaf);
        if let Some(number) = removed.and_then(|folder| folder.number) {
            self.by_number.remove(&number);
            self.left.push(number);
        }
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Returns the folders that have to be reported and are not.
    pub(super) fn unreported(&self) -> BTreeSet<Leaf> {
        let unreported = self.leaves.iter().filter(|(_, folder)| folder.number.is_none());
        unreported.map(|(leaf, _)| *leaf).collect()
    }

    /// Takes the numbers of the folders that need not be reported any more.
    pub(super) fn take_left(&mut self) -> Vec<i32> {
        std::mem::take(&mut self.left)
    }

    /// Notes that a folder is reported under this number from now on, unless it is not needed any more.
    pub(super) fn reported(&mut self, leaf: Leaf, number: i32) {
        match self.leaves.get_mut(&leaf) {
            Some(folder) => {
                folder.number = Some(number);
                self.by_number.insert(number, leaf);
            }
            None => self.left.push(number),
        }
    }

    /// Notes that a number is void: its folder was removed.
    pub(super) fn ended(&mut self, number: i32) {
        if let Some(leaf) = self.by_number.remove(&number)
            && let Some(folder) = self.leaves.get_mut(&leaf)
        {
            folder.number = None;
        }
    }

    /// Forgets all numbers: the thread that had them reported has ended.
    pub(super) fn forget_numbers(&mut self) {
        self.by_number.clear();
        self.left.clear();
        self.leaves.values_mut().for_each(|folder| folder.number = None);
    }

    /// Returns the watched keys of a folder.
    pub(super) fn keys_of(&self, leaf: Leaf) -> Vec<SessionKey> {
        let folder = self.leaves.get(&leaf);
        folder
            .into_iter()
            .flat_map(|folder| folder.keys.keys().copied())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use sessile_core::{OsEntropy, SessionId};

    use super::*;

    #[test]
    fn a_folder_is_reported_as_long_as_one_of_its_keys_is_watched() {
        let key = SessionId::generate(&OsEntropy).key();
        let mut folders = Folders::default();
        folders.add(&key);
        folders.add(&key);
        assert_eq!(folders.unreported(), [leaf(&key)].into());
        folders.reported(leaf(&key), 7);
        assert!(folders.unreported().is_empty());
        assert_eq!(folders.keys_of(leaf(&key)), [key]);
        assert!(!folders.remove(&key), "it is watched once more");
        assert!(folders.take_left().is_empty());
        assert!(folders.remove(&key));
        assert_eq!(folders.take_left(), [7]);
        assert!(folders.is_empty() && folders.by_number.is_empty());
    }

    #[test]
    fn a_folder_that_was_removed_is_to_be_reported_again() {
        let key = SessionId::generate(&OsEntropy).key();
        let mut folders = Folders::default();
        folders.add(&key);
        folders.reported(leaf(&key), 7);
        folders.ended(7);
        assert_eq!(folders.unreported(), [leaf(&key)].into());
        folders.reported(leaf(&key), 8);
        folders.forget_numbers();
        assert_eq!(folders.unreported(), [leaf(&key)].into());
    }

    #[test]
    fn a_folder_that_nothing_needs_any_more_is_left_at_once() {
        let key = SessionId::generate(&OsEntropy).key();
        let mut folders = Folders::default();
        folders.reported(leaf(&key), 7);
        assert_eq!(folders.take_left(), [7]);
    }
}
