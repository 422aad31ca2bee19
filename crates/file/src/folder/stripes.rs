//! Who may change a stripe: one thread of one process at a time, and never one that has stopped.
//!
//! Among processes the right is a lock of the operating system on the stripe's mutex file. A process that ends loses
//! it at once. One that is stopped keeps it, so whoever has waited too long takes it away: puts a new mutex file in the
//! place of the old one, and then removes every file that has been staged in the stripe. A mutex file is empty until
//! that has been done, so whoever locks one that is empty does it first.
//!
//! That is safe, because every change is made by giving a staged file its final name, and the file is staged before
//! the right is taken. One who had the right when it was taken away finds its staged file gone, and nothing happens.
//! One who gave the name just before is seen by the next holder, which looks only afterwards.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Doing, Result};
use crate::folder::disk::{Identity, identify, list};
use crate::folder::layout::FAN;
use crate::folder::{Folder, Staged};

/// How long a process that stands still keeps others out of a stripe, at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// The first and the longest pause between two attempts to get hold of the mutex file.
const PAUSES: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(2));

/// The stripes of one folder, as one process sees them.
pub(crate) struct Stripes {
    /// Among the threads of this process, which stop and end together.
    inside: Box<[Mutex<()>]>,
    patience: Duration,
}

/// No other thread of this process is changing the stripe.
pub(crate) struct Alone<'a> {
    folder: &'a Folder,
    stripe: u8,
    _guard: MutexGuard<'a, ()>,
}

/// Nobody else is changing the stripe, or whoever thinks so can no longer do it.
pub(crate) struct Held<'a> {
    folder: &'a Folder,
    _alone: Alone<'a>,
    _mutex: File,
}

impl Stripes {
    pub(crate) fn new(lease: Duration) -> Self {
        Self {
            inside: (0..FAN).map(|_| Mutex::new(())).collect(),
            patience: PATIENCE.min(lease),
        }
    }
}

impl Stripes {
    /// How long one who has a stripe can be sure that it has not been taken away.
    pub(crate) fn safe_for(&self) -> Duration {
        self.patience / 2
    }
}

impl Folder {
    /// Keeps the other threads of this process out of a stripe.
    pub(crate) fn enter(&self, stripe: u8) -> Alone<'_> {
        // The mutex protects files, which are whole after a panic too.
        let guard = self.stripes.inside[usize::from(stripe)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Alone {
            folder: self,
            stripe,
            _guard: guard,
        }
    }
}

impl<'a> Alone<'a> {
    /// Keeps everyone else out. What is to be published must have been staged before.
    pub(crate) fn hold(self, staged: &[&Staged<'_>]) -> Result<Held<'a>> {
        let mutex = self.lock(staged)?;
        Ok(Held {
            folder: self.folder,
            _alone: self,
            _mutex: mutex,
        })
    }

    fn lock(&self, staged: &[&Staged<'_>]) -> Result<File> {
        let path = self.folder.layout.mutex(self.stripe);
        let mut pause = PAUSES.0;
        let mut standing_still: Option<(Identity, Instant)> = None;
        let mut opened: Option<File> = None;
        loop {
            let file = match opened.take() {
                Some(file) => file,
                None => self
                    .folder
                    .disk
                    .open_lock(&path)
                    .map_err(|error| self.folder.explain(error, "open a mutex"))?,
            };
            let locked = match file.try_lock() {
                Ok(()) => true,
                Err(TryLockError::WouldBlock) => false,
                Err(TryLockError::Error(error)) => return Err(error).doing("lock a mutex"),
            };
            let metadata = file.metadata().doing("lock a mutex")?;
            let identity = Identity::of(&metadata);
            if identify(&path).doing("lock a mutex")? != Some(identity) {
                continue; // It has been replaced: what we opened protects nothing any more.
            }
            if locked {
                if metadata.len() == 0 {
                    self.fence(&file, staged)?;
                }
                return Ok(file);
            }
            match standing_still {
                Some((same, since)) if same == identity => {
                    if since.elapsed() >= self.folder.stripes.patience {
                        if let Some(file) = self.replace(&path, identity, staged)? {
                            return Ok(file);
                        }
                        continue;
                    }
                }
                _ => standing_still = Some((identity, Instant::now())),
            }
            opened = Some(file);
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Takes the mutex away from whoever has it. `None` if another process was quicker.
    fn replace(&self, path: &Path, old: Identity, staged: &[&Staged<'_>]) -> Result<Option<File>> {
        let folder = self.folder;
        folder.make_stripe(self.stripe)?;
        let fresh = folder.stage_path(self.stripe);
        let file = folder
            .disk
            .create(&fresh)
            .map_err(|error| folder.explain(error, "make a mutex"))?;
        file.lock().doing("lock a mutex")?;
        let identity = Identity::of(&file.metadata().doing("lock a mutex")?);
        if identify(path).doing("replace a mutex")? != Some(old) {
            folder.disk.remove(&fresh).doing("replace a mutex")?;
            return Ok(None);
        }
        folder
            .disk
            .rename(&fresh, path)
            .map_err(|error| folder.explain(error, "replace a mutex"))?;
        // Only now: whoever stages from here on will ask for the new mutex before it publishes.
        self.fence(&file, staged)?;
        // Another process may have had the same idea, and its mutex may be the one that counts.
        Ok((identify(path).doing("replace a mutex")? == Some(identity)).then_some(file))
    }

    /// Removes what others have staged, so that nobody can publish who had another mutex of this stripe. If this does not
    /// come to its end, the mutex stays empty, and the next to lock it begins anew.
    fn fence(&self, mutex: &File, staged: &[&Staged<'_>]) -> Result<()> {
        let disk = &self.folder.disk;
        let stage = self.folder.layout.stage(self.stripe);
        for name in list(&stage).doing("fence off a process that stands still")? {
            let path = stage.join(name);
            // A folder is none of ours, and nobody can publish it.
            if !staged.iter().any(|own| own.path == path)
                && let Err(error) = disk.remove(&path)
                && !path.is_dir()
            {
                return Err(error).doing("fence off a process that stands still");
            }
        }
        // One that cannot be marked is fenced each time, which costs a look into a folder.
        let _ = disk.mark(mutex);
        Ok(())
    }
}

impl Held<'_> {
    /// Gives a staged file its final name, in place of what has that name now. This is the one moment in which a
    /// change is made.
    pub(crate) fn publish(&self, staged: Staged<'_>, path: &Path) -> Result<()> {
        self.folder
            .disk
            .rename(&staged.path, path)
            .map_err(|error| self.folder.explain(error, "publish a file"))?;
        staged.forget();
        Ok(())
    }
}
