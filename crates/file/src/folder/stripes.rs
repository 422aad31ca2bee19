//! [`Stripes`]: mutual exclusion within a stripe, among the threads of this process and among processes.
//!
//! Among processes the lock is an `flock` on the mutex file of the stripe. A process that ends loses it at once. A
//! stopped process keeps it, so a process that has waited too long takes over: it replaces the mutex file by a new one,
//! and then removes every file that is staged in the stripe. A mutex file stays empty until that has been done, so a
//! process that locks an empty mutex file does it first.
//!
//! This is safe because every change renames a staged file, and the file is staged before the lock is taken. A process
//! whose lock was taken over finds its staged file gone, and its rename fails. A process that renamed just before is
//! seen by the next holder, which reads only afterwards. `PROTOCOL.md` has the full argument.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Context, Result};
use crate::folder::disk::{Identity, identify, list};
use crate::folder::layout::FAN;
use crate::folder::stage::Staged;
use crate::folder::tree::Tree;

/// The longest time for which a stopped process can keep others out of a stripe.
const TAKEOVER_AFTER: Duration = Duration::from_secs(2);

/// The first and the longest pause between two attempts to lock the mutex file.
const PAUSES: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(2));

/// The locks of all stripes of a folder.
pub(crate) struct Stripes {
    /// Exclude the threads of this process, which stop and end together.
    threads: Box<[Mutex<()>]>,
    takeover_after: Duration,
}

/// Proof that no other thread of this process changes the stripe.
pub(crate) struct ThreadGuard<'a> {
    tree: &'a Tree,
    takeover_after: Duration,
    stripe: u8,
    _guard: MutexGuard<'a, ()>,
}

/// Proof that no other thread or process changes the stripe, unless it has been taken over from this process.
///
/// After a takeover [`publish`](Self::publish) fails.
pub(crate) struct StripeGuard<'a> {
    threads: ThreadGuard<'a>,
    _mutex: File,
}

impl Stripes {
    pub(crate) fn new(lease: Duration) -> Self {
        Self {
            threads: (0..FAN).map(|_| Mutex::new(())).collect(),
            takeover_after: TAKEOVER_AFTER.min(lease),
        }
    }

    /// Returns the time for which a holder can be sure that its stripe has not been taken over.
    pub(crate) fn safe_for(&self) -> Duration {
        self.takeover_after / 2
    }

    /// Excludes the other threads of this process from a stripe.
    pub(crate) fn lock_threads<'a>(&'a self, tree: &'a Tree, stripe: u8) -> ThreadGuard<'a> {
        // The mutex protects files, which are intact after a panic too.
        let guard = self.threads[usize::from(stripe)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        ThreadGuard {
            tree,
            takeover_after: self.takeover_after,
            stripe,
            _guard: guard,
        }
    }
}

impl<'a> ThreadGuard<'a> {
    /// Excludes the other processes as well. The files to publish must have been staged before.
    pub(crate) fn lock_processes(self, staged: &[&Staged<'_>]) -> Result<StripeGuard<'a>> {
        let mutex = self.lock_mutex(staged)?;
        Ok(StripeGuard {
            threads: self,
            _mutex: mutex,
        })
    }

    fn lock_mutex(&self, staged: &[&Staged<'_>]) -> Result<File> {
        let path = self.tree.layout.mutex(self.stripe);
        let mut pause = PAUSES.0;
        let mut unchanged_since: Option<(Identity, Instant)> = None;
        let mut opened: Option<File> = None;
        loop {
            let file = match opened.take() {
                Some(file) => file,
                None => self
                    .tree
                    .disk
                    .open_lock(&path)
                    .map_err(|error| self.tree.explain(error, "open a mutex"))?,
            };
            let locked = match file.try_lock() {
                Ok(()) => true,
                Err(TryLockError::WouldBlock) => false,
                Err(TryLockError::Error(error)) => return Err(error).context("lock a mutex"),
            };
            let metadata = file.metadata().context("lock a mutex")?;
            let identity = Identity::of(&metadata);
            if identify(&path).context("lock a mutex")? != Some(identity) {
                continue; // The mutex file has been replaced: the opened file excludes nothing any more.
            }
            if locked {
                // An empty mutex file is new: holders of earlier ones have not been fenced off yet.
                if metadata.len() == 0 {
                    self.fence(&file, staged)?;
                }
                return Ok(file);
            }
            match unchanged_since {
                Some((same, since)) if same == identity => {
                    if since.elapsed() >= self.takeover_after {
                        if let Some(file) = self.take_over(&path, identity, staged)? {
                            return Ok(file);
                        }
                        continue;
                    }
                }
                _ => unchanged_since = Some((identity, Instant::now())),
            }
            opened = Some(file);
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Takes the mutex over from its holder. Returns `None` if another process was faster.
    fn take_over(&self, path: &Path, old: Identity, staged: &[&Staged<'_>]) -> Result<Option<File>> {
        let tree = self.tree;
        tree.make_stripe(self.stripe)?;
        let fresh = tree.stage_path(self.stripe);
        let file = tree
            .disk
            .create(&fresh)
            .map_err(|error| tree.explain(error, "make a mutex"))?;
        file.lock().context("lock a mutex")?;
        let identity = Identity::of(&file.metadata().context("lock a mutex")?);
        if identify(path).context("replace a mutex")? != Some(old) {
            tree.disk.remove(&fresh).context("replace a mutex")?;
            return Ok(None);
        }
        tree.disk
            .rename(&fresh, path)
            .map_err(|error| tree.explain(error, "replace a mutex"))?;
        // Fence only after the rename: a process that stages from here on asks for the new mutex before it publishes.
        self.fence(&file, staged)?;
        // Another process may have taken over at the same time, and its mutex may be the valid one.
        Ok((identify(path).context("replace a mutex")? == Some(identity)).then_some(file))
    }

    /// Removes the files that others have staged, so that no holder of an earlier mutex of this stripe can publish.
    ///
    /// If this fails, the mutex stays empty, and the next process to lock it starts again.
    fn fence(&self, mutex: &File, staged: &[&Staged<'_>]) -> Result<()> {
        let disk = &self.tree.disk;
        let stage = self.tree.layout.stage(self.stripe);
        for name in list(&stage).context("fence off a stopped process")? {
            let path = stage.join(name);
            // A folder was not made by this storage and cannot be published.
            if !staged.iter().any(|own| own.path == path)
                && let Err(error) = disk.remove(&path)
                && !path.is_dir()
            {
                return Err(error).context("fence off a stopped process");
            }
        }
        // A mutex that cannot be marked is fenced on every lock, which costs one listing of a folder.
        let _ = disk.mark_fenced(mutex);
        Ok(())
    }
}

impl StripeGuard<'_> {
    /// Gives a staged file its final name and replaces the file of that name.
    ///
    /// This rename is the commit point of every change.
    pub(crate) fn publish(&self, staged: Staged<'_>, path: &Path) -> Result<()> {
        let tree = self.threads.tree;
        tree.disk
            .rename(&staged.path, path)
            .map_err(|error| tree.explain(error, "publish a file"))?;
        staged.disarm();
        Ok(())
    }
}
