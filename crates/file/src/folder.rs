//! A folder that several processes share: its stripes, what is being written in it, and who writes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sessile_core::{Clock, Entropy, SessionKey, Timestamp};

use crate::disk::{Disk, list};
use crate::durability::Durability;
use crate::failure::{Doing, Failure, Result};
use crate::format::Nonce;
use crate::instance::{self, Instance};
use crate::layout::{FAN, Layout, hex, leaf_of, stripe_of};
use crate::stripes::Stripes;

/// How often a step is tried anew when other processes get in between.
const ATTEMPTS: usize = 64;

/// File systems know dates up to here. A date earlier than it should be costs a sweeper a look inside, no more.
const LAST_DATE: Timestamp = Timestamp::from_millis(u32::MAX as u64 * 1_000);

/// What a folder is opened with.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) disk: Disk,
    pub(crate) durability: Durability,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) lease: Duration,
}

/// An open folder.
pub(crate) struct Folder {
    pub(crate) disk: Disk,
    pub(crate) layout: Layout,
    pub(crate) instance: Instance,
    pub(crate) stripes: Stripes,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) lease: Duration,
    durability: Durability,
    staged: AtomicU64,
    /// Folders this storage has made sure of.
    known_stripes: Box<[AtomicBool]>,
    known_leaves: Box<[AtomicBool]>,
}

impl Folder {
    /// Opens a folder, made if need be, that holds what `format` says, and tidies up after processes that died.
    pub(crate) fn open(root: &Path, format: &'static str, setting: Setting) -> Result<Self> {
        let Setting {
            disk,
            durability,
            clock,
            entropy,
            lease,
        } = setting;
        let layout = Layout::new(root);
        make_root(&disk, root, durability)?;
        for path in [layout.instances(), layout.aside()] {
            disk.create_dir(&path).doing("make the folder")?;
        }
        let instance = Instance::register(&disk, &layout, &*entropy)?;
        let folder = Self {
            stripes: Stripes::new(lease),
            disk,
            layout,
            instance,
            clock,
            entropy,
            lease,
            durability,
            staged: AtomicU64::new(0),
            known_stripes: (0..FAN).map(|_| AtomicBool::new(false)).collect(),
            known_leaves: (0..FAN * FAN).map(|_| AtomicBool::new(false)).collect(),
        };
        folder.claim(format)?;
        folder.remove_stale()?;
        Ok(folder)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn nonce(&self) -> Nonce {
        let mut nonce = Nonce::default();
        self.entropy.fill(&mut nonce);
        nonce
    }

    /// Makes sure that the folder is used for one thing, and that we understand it.
    fn claim(&self, format: &'static str) -> Result<()> {
        let path = self.layout.format();
        let fresh = self
            .layout
            .instances()
            .join(format!("{}.format", hex(&self.instance.id())));
        match std::fs::read_to_string(&path) {
            Ok(found) if found == format => return Ok(()),
            Ok(_) => {
                let other = io::Error::new(io::ErrorKind::Unsupported, "the folder is used for something else");
                return Err(other).doing("use the folder");
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).doing("read what the folder holds"),
        }
        self.disk
            .write_new(&fresh, format.as_bytes(), None, self.durability.syncs())
            .doing("claim the folder")?;
        // A link, unlike renaming, leaves the file of another process alone that was quicker.
        let linked = match self.disk.link(&fresh, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked.doing("claim the folder"),
        };
        self.disk.remove(&fresh).doing("claim the folder")?;
        linked?;
        self.sync(self.layout.root())
    }

    /// Removes what processes that no longer live were writing. Files of the living stay.
    fn remove_stale(&self) -> Result<()> {
        for stripe in 0..=u8::MAX {
            let stage = self.layout.stage(stripe);
            for name in list(&stage).doing("list unfinished files")? {
                let owner = name.to_str().and_then(|name| name.split_once('.'));
                if owner.is_some_and(|(owner, _)| !instance::is_open(&self.layout, owner)) {
                    self.disk.remove(&stage.join(name)).doing("remove an unfinished file")?;
                }
            }
        }
        instance::remove_dead(&self.disk, &self.layout)
    }

    /// Writes a file aside, dated to the moment at which it is over, so that it can be [published](crate::stripes::Held::publish).
    pub(crate) fn stage(&self, stripe: u8, bytes: &[u8], date: Option<Timestamp>, sync: bool) -> Result<Staged<'_>> {
        let path = self.stage_path(stripe);
        let date = date.map(|date| SystemTime::UNIX_EPOCH + Duration::from_millis(date.min(LAST_DATE).as_millis()));
        match self.disk.write_new(&path, bytes, date, sync && self.durability.syncs()) {
            Ok(()) => Ok(Staged { folder: self, path }),
            Err(error) => Err(self.explain(error, "write a file")),
        }
    }

    pub(crate) fn stage_path(&self, stripe: u8) -> PathBuf {
        let number = self.staged.fetch_add(1, Ordering::Relaxed);
        self.layout
            .stage(stripe)
            .join(format!("{}.{number}", hex(&self.instance.id())))
    }

    /// Takes a step, again and again while other processes get in between.
    pub(crate) fn retry<T>(&self, step: impl Fn() -> Result<T>) -> Result<T> {
        for _ in 0..ATTEMPTS {
            match step() {
                Err(Failure::Revoked) => {}
                taken => return taken,
            }
        }
        Err(Failure::Revoked)
    }

    /// What to do about a call that failed. Where something is not there that we made, another process has fenced us
    /// off, or the folder has gone.
    pub(crate) fn explain(&self, error: io::Error, doing: &'static str) -> Failure {
        if error.kind() != io::ErrorKind::NotFound {
            return Failure::System { doing, source: error };
        }
        if let Err(gone) = self.instance.check_folder() {
            return gone;
        }
        for known in self.known_stripes.iter().chain(&self.known_leaves) {
            known.store(false, Ordering::Relaxed);
        }
        Failure::Revoked
    }

    /// Makes the folders of a stripe.
    pub(crate) fn make_stripe(&self, stripe: u8) -> Result<()> {
        let known = &self.known_stripes[usize::from(stripe)];
        if known.load(Ordering::Acquire) {
            return Ok(());
        }
        let path = self.layout.stripe(stripe);
        for path in [&path, &self.layout.stage(stripe), &self.layout.leases(stripe)] {
            self.disk.create_dir(path).doing("make a folder")?;
        }
        // Even if they were there: whoever made them may not have got as far as to sync them.
        self.sync(&path)?;
        self.sync(self.layout.root())?;
        known.store(true, Ordering::Release);
        Ok(())
    }

    /// Makes the folders that the record of this key is in.
    pub(crate) fn make_leaf(&self, key: &SessionKey) -> Result<()> {
        let (stripe, leaf) = (stripe_of(key), leaf_of(key));
        self.make_stripe(stripe)?;
        let known = &self.known_leaves[usize::from(stripe) * FAN + usize::from(leaf)];
        if known.load(Ordering::Acquire) {
            return Ok(());
        }
        self.disk
            .create_dir(&self.layout.leaf(stripe, leaf))
            .doing("make a folder")?;
        self.sync(&self.layout.stripe(stripe))?;
        known.store(true, Ordering::Release);
        Ok(())
    }

    /// Makes a change durable that has been made in this folder, if that is what was asked for.
    pub(crate) fn sync_change(&self, path: &Path) -> Result<()> {
        if !self.durability.syncs() {
            return Ok(());
        }
        self.disk.sync_dir(path).map_err(|source| Failure::Uncertain {
            doing: "sync a folder",
            source,
        })
    }

    /// Makes the names in a folder durable, if that is what was asked for, before a change relies on them.
    pub(crate) fn sync(&self, path: &Path) -> Result<()> {
        if self.durability.syncs() {
            self.disk
                .sync_dir(path)
                .map_err(|error| self.explain(error, "sync a folder"))
        } else {
            Ok(())
        }
    }
}

/// Makes a folder and those it is in.
fn make_root(disk: &Disk, root: &Path, durability: Durability) -> Result<()> {
    let parent = match root.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    let made = match disk.create_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_root(disk, parent, durability)?;
            disk.create_dir(root)
        }
        made => made,
    };
    if made.doing("make the folder")? && durability.syncs() {
        disk.sync_dir(parent).doing("make the folder")?;
    }
    Ok(())
}

/// A file that has been written aside. Unless it is published it goes away.
pub(crate) struct Staged<'a> {
    folder: &'a Folder,
    pub(crate) path: PathBuf,
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            let _ = self.folder.disk.remove(&self.path);
        }
    }
}

impl Staged<'_> {
    /// It has been given its final name.
    pub(crate) fn forget(mut self) {
        self.path = PathBuf::new();
    }
}
