//! A folder that several processes share: its stripes, what is being written in it, and who writes.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sessile_core::{Clock, Entropy, SessionKey, Timestamp};

use crate::durability::Durability;
use crate::failure::{Doing, Failure, Result};
use crate::folder::disk::{Disk, Identity, identify, list};
use crate::folder::format::Nonce;
use crate::folder::instance::{self, Instance};
use crate::folder::layout::{FAN, Layout, hex, leaf_of, stripe_of};
use crate::folder::options::Setting;
use crate::folder::stripes::Stripes;

/// How often a step is tried anew when other processes get in between.
const ATTEMPTS: usize = 64;

/// File systems know dates up to here. A date earlier than it should be costs a sweeper a look inside, no more.
const LAST_DATE: Timestamp = Timestamp::from_millis(u32::MAX as u64 * 1_000);

/// An open folder.
pub(crate) struct Folder {
    pub(crate) disk: Disk,
    pub(crate) layout: Layout,
    pub(crate) instance: Instance,
    pub(crate) stripes: Stripes,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) steady: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) lease: Duration,
    pub(crate) format: &'static str,
    /// Kept open, so that no other folder can be taken for this one.
    root: (File, Identity),
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
            steady,
            entropy,
            lease,
            paused: _,
        } = setting;
        let layout = Layout::new(root);
        make_root(&disk, root, durability)?;
        make_top(&disk, &layout)?;
        let opened = File::open(root).doing("find the folder")?;
        let identity = Identity::of(&opened.metadata().doing("find the folder")?);
        let instance = Instance::register(&disk, &layout, &*entropy)?;
        let folder = Self {
            stripes: Stripes::new(lease),
            disk,
            layout,
            instance,
            clock,
            steady,
            entropy,
            lease,
            format,
            root: (opened, identity),
            durability,
            staged: AtomicU64::new(0),
            known_stripes: (0..FAN).map(|_| AtomicBool::new(false)).collect(),
            known_leaves: (0..FAN * FAN).map(|_| AtomicBool::new(false)).collect(),
        };
        folder.claim()?;
        folder.remove_stale()?;
        Ok(folder)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The present moment as leases are judged.
    pub(crate) fn steady_now(&self) -> Timestamp {
        self.steady.now()
    }

    pub(crate) fn nonce(&self) -> Nonce {
        let mut nonce = Nonce::default();
        self.entropy.fill(&mut nonce);
        nonce
    }

    /// Removes what processes that no longer live were writing. Files of the living stay.
    fn remove_stale(&self) -> Result<()> {
        for stripe in 0..=u8::MAX {
            let stage = self.layout.stage(stripe);
            let names = match list(&stage) {
                // A file that we may not look into was not written by us.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => continue,
                names => names.doing("list unfinished files")?,
            };
            for name in names {
                let owner = name.to_str().and_then(|name| name.split_once('.'));
                if owner.is_some_and(|(owner, _)| !instance::is_open(&self.layout, owner)) {
                    self.disk.remove(&stage.join(name)).doing("remove an unfinished file")?;
                }
            }
        }
        instance::remove_dead(&self.disk, &self.layout)
    }

    /// Writes a file aside, dated to the moment at which it is over, so that it can be [published](crate::folder::stripes::Held::publish).
    pub(crate) fn stage(&self, stripe: u8, bytes: &[u8], date: Option<Timestamp>, sync: bool) -> Result<Staged<'_>> {
        let path = self.stage_path(stripe);
        let date = date.map(|date| SystemTime::UNIX_EPOCH + Duration::from_millis(date.min(LAST_DATE).as_millis()));
        match self.disk.write_new(&path, bytes, date, sync && self.durability.syncs()) {
            Ok(()) => Ok(Staged { folder: self, path }),
            Err(error) => Err(self.explain(error, "write a file")),
        }
    }

    pub(crate) fn stage_path(&self, stripe: u8) -> PathBuf {
        let number = self.next_number();
        self.layout
            .stage(stripe)
            .join(format!("{}.{number}", hex(&self.instance.id())))
    }

    /// A number for a file that this storage writes.
    pub(crate) fn next_number(&self) -> u64 {
        self.staged.fetch_add(1, Ordering::Relaxed)
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
        if let Err(gone) = self.check() {
            return gone;
        }
        self.forget_what_is_made();
        Failure::Revoked
    }

    fn forget_what_is_made(&self) {
        for known in self.known_stripes.iter().chain(&self.known_leaves) {
            known.store(false, Ordering::Relaxed);
        }
    }

    /// Fails when the folder is no longer there, or is another. Where this storage is no longer seen to be open, as when
    /// the folder has been emptied, it makes what it needs again.
    pub(crate) fn check(&self) -> Result<()> {
        if self.instance.is_registered()? {
            return Ok(());
        }
        if identify(self.layout.root()).doing("find the folder")? != Some(self.root.1) {
            let gone = io::Error::new(io::ErrorKind::NotFound, "the folder is gone, or is another");
            return Err(gone).doing("find the folder");
        }
        self.forget_what_is_made();
        make_top(&self.disk, &self.layout)?;
        self.instance.register_again()?;
        self.claim()
    }

    /// Does what keeps the folder usable. It is called from time to time.
    pub(crate) fn look_after(&self) -> Result<()> {
        self.check()?;
        self.instance.date();
        self.claim()
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

/// Makes the folders that belong to no stripe.
fn make_top(disk: &Disk, layout: &Layout) -> Result<()> {
    for path in [layout.instances(), layout.aside()] {
        disk.create_dir(&path).doing("make the folder")?;
    }
    Ok(())
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
