//! [`DiskModel`]: a disk that may not have written everything yet.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fmt, io};

use crate::folder::disk::{Call, Probe};

/// The contents of a disk after a power cut: folders, and files with their bytes.
pub(super) type Snapshot = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// A recorded change.
#[derive(Clone)]
pub(super) enum Change {
    Create(PathBuf),
    Write(PathBuf, Vec<u8>),
    SyncFile(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    Link(PathBuf, PathBuf),
    CreateDir(PathBuf),
    SyncDir(PathBuf),
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(path) => write!(f, "create {path:?}"),
            Self::Write(path, bytes) => write!(f, "write {path:?} {} bytes", bytes.len()),
            Self::SyncFile(path) => write!(f, "sync {path:?}"),
            Self::Rename(from, to) => write!(f, "rename {from:?} {to:?}"),
            Self::Remove(path) => write!(f, "remove {path:?}"),
            Self::Link(from, to) => write!(f, "link {from:?} {to:?}"),
            Self::CreateDir(path) => write!(f, "create folder {path:?}"),
            Self::SyncDir(path) => write!(f, "sync folder {path:?}"),
        }
    }
}

/// Records all changes.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) armed: AtomicBool,
    pub(super) changes: Mutex<Vec<Change>>,
}

impl Recorder {
    pub(super) fn len(&self) -> usize {
        self.changes.lock().expect("the list").len()
    }
}

impl Probe for Recorder {
    fn before(&self, call: Call<'_>) -> io::Result<()> {
        if !self.armed.load(Ordering::SeqCst) {
            return Ok(());
        }
        let own = Path::to_owned;
        let change = match call {
            Call::Create(path) => Change::Create(own(path)),
            Call::Write(path, bytes) => Change::Write(own(path), bytes.to_vec()),
            // The state of dates and mutexes does not matter after a power cut.
            Call::Date | Call::MarkFenced => return Ok(()),
            Call::SyncFile(path) => Change::SyncFile(own(path)),
            Call::Rename(from, to) => Change::Rename(own(from), own(to)),
            Call::Remove(path) => Change::Remove(own(path)),
            Call::Link(from, to) => Change::Link(own(from), own(to)),
            Call::CreateDir(path) => Change::CreateDir(own(path)),
            Call::SyncDir(path) => Change::SyncDir(own(path)),
        };
        self.changes.lock().expect("the list").push(change);
        Ok(())
    }
}

/// The target of a name in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    File(usize),
    Folder,
}

#[derive(Debug, Clone, Default)]
struct File {
    bytes: Vec<u8>,
    synced: bool,
}

/// The history of the names in one folder, and the length of the part that is on the disk for certain.
#[derive(Debug, Clone, Default)]
struct Directory {
    history: Vec<Names>,
    certain: usize,
}

/// Names that change atomically, each with its new target or none.
type Names = Vec<(OsString, Option<Node>)>;

impl Directory {
    fn at(&self, length: usize) -> BTreeMap<OsString, Node> {
        let mut names = BTreeMap::new();
        for (name, node) in self.history[..length].iter().flatten() {
            match node {
                Some(node) => drop(names.insert(name.clone(), *node)),
                None => drop(names.remove(name)),
            }
        }
        names
    }
}

/// A disk with its unsynced changes.
#[derive(Debug, Clone, Default)]
pub(super) struct DiskModel {
    folders: BTreeMap<PathBuf, Directory>,
    files: Vec<File>,
}

impl DiskModel {
    /// Returns a disk on which the present contents of a folder are written for certain.
    pub(super) fn of(root: &Path) -> Self {
        let mut disk = Self::default();
        disk.add(root);
        disk
    }

    fn add(&mut self, path: &Path) {
        let mut folder = Directory::default();
        for entry in std::fs::read_dir(path).expect("a folder").flatten() {
            let node = if entry.path().is_dir() {
                self.add(&entry.path());
                Node::Folder
            } else {
                let bytes = std::fs::read(entry.path()).expect("a file");
                self.files.push(File { bytes, synced: true });
                Node::File(self.files.len() - 1)
            };
            folder.history.push(vec![(entry.file_name(), Some(node))]);
        }
        folder.certain = folder.history.len();
        self.folders.insert(path.to_owned(), folder);
    }

    fn find(&self, path: &Path) -> Option<Node> {
        let folder = self.folders.get(path.parent()?)?;
        folder.at(folder.history.len()).get(path.file_name()?).copied()
    }

    fn put(&mut self, path: &Path, node: Option<Node>) {
        self.change_names(path, vec![(name_of(path), node)]);
    }

    /// Changes names in the folder of this path atomically.
    fn change_names(&mut self, path: &Path, names: Names) {
        let folder = self
            .folders
            .get_mut(path.parent().expect("a parent"))
            .expect("the folder is there");
        folder.history.push(names);
    }

    fn file(&mut self, path: &Path) -> Option<&mut File> {
        match self.find(path) {
            Some(Node::File(number)) => self.files.get_mut(number),
            _ => None,
        }
    }

    /// Applies a change. A change that the operating system would refuse has no effect.
    pub(super) fn change(&mut self, change: &Change) {
        match change {
            Change::Create(path) if self.find(path).is_none() => {
                self.files.push(File::default());
                self.put(path, Some(Node::File(self.files.len() - 1)));
            }
            Change::CreateDir(path) if self.find(path).is_none() => {
                self.put(path, Some(Node::Folder));
                self.folders.insert(path.clone(), Directory::default());
            }
            Change::Create(_) | Change::CreateDir(_) => {}
            Change::Write(path, bytes) => {
                let file = self.file(path).expect("a file that is written");
                file.bytes.extend_from_slice(bytes);
                file.synced = false;
            }
            Change::SyncFile(path) => self.file(path).expect("a file that is synced").synced = true,
            Change::Rename(from, to) => {
                // A rename within one folder is atomic; between two folders it may be cut in two.
                match self.find(from) {
                    Some(node) if from.parent() == to.parent() => {
                        self.change_names(to, vec![(name_of(from), None), (name_of(to), Some(node))]);
                    }
                    Some(node) => {
                        self.put(from, None);
                        self.put(to, Some(node));
                    }
                    None => {}
                }
            }
            Change::Link(from, to) => {
                if let (Some(node), None) = (self.find(from), self.find(to)) {
                    self.put(to, Some(node));
                }
            }
            Change::Remove(path) => {
                if self.find(path).is_some() {
                    self.put(path, None);
                }
            }
            Change::SyncDir(path) => {
                let folder = self.folders.get_mut(path).expect("a folder that is synced");
                folder.certain = folder.history.len();
            }
        }
    }

    /// Returns every state in which the disk may be found after a power cut.
    pub(super) fn after_a_power_cut(&self, root: &Path) -> BTreeSet<Snapshot> {
        let mut found = BTreeSet::new();
        let folders: Vec<_> = self.folders.iter().collect();
        let mut lengths: Vec<_> = folders.iter().map(|(_, folder)| folder.certain).collect();
        loop {
            let names: BTreeMap<_, _> = folders
                .iter()
                .zip(&lengths)
                .map(|((path, folder), length)| (path.as_path(), folder.at(*length)))
                .collect();
            for written in [Written::All, Written::Half, Written::Nothing] {
                let mut tree = BTreeMap::new();
                self.collect(root, &names, written, &mut tree);
                found.insert(tree);
            }
            // Count up to the next combination.
            let Some(place) = (0..lengths.len()).find(|&place| lengths[place] < folders[place].1.history.len()) else {
                return found;
            };
            lengths[place] += 1;
            for (place, length) in lengths.iter_mut().enumerate().take(place) {
                *length = folders[place].1.certain;
            }
        }
    }

    fn collect(
        &self,
        path: &Path,
        names: &BTreeMap<&Path, BTreeMap<OsString, Node>>,
        written: Written,
        tree: &mut Snapshot,
    ) {
        for (name, node) in names.get(path).into_iter().flatten() {
            let path = path.join(name);
            match *node {
                Node::Folder => {
                    tree.insert(path.clone(), None);
                    self.collect(&path, names, written, tree);
                }
                Node::File(number) => {
                    let File { bytes, synced } = &self.files[number];
                    let length = if *synced { bytes.len() } else { written.of(bytes.len()) };
                    tree.insert(path, Some(bytes[..length].to_vec()));
                }
            }
        }
    }
}

fn name_of(path: &Path) -> OsString {
    path.file_name().expect("a name").to_owned()
}

/// The part of an unsynced file that has been written.
#[derive(Debug, Clone, Copy)]
enum Written {
    All,
    Half,
    Nothing,
}

impl Written {
    fn of(self, length: usize) -> usize {
        match self {
            Self::All => length,
            Self::Half => length / 2,
            Self::Nothing => 0,
        }
    }
}
