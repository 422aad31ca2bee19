//! [`Folder`]: a folder that several processes share, with its locks and clocks.
//!
//! The children read it and change it: `lookup` reads records, `leases` reads and writes locks, `moves` finalizes
//! rotations. [`Tree`] keeps the directories, [`Stripes`] excludes other threads and processes.

pub(crate) mod claim;
pub(crate) mod disk;
pub(crate) mod format;
pub(crate) mod instance;
pub(crate) mod layout;
pub(crate) mod leases;
pub(crate) mod lookup;
mod moves;
pub(crate) mod options;
pub(crate) mod stage;
pub(crate) mod stripes;
pub(crate) mod tree;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sessile_core::Entropy;

use self::claim::Claim;
use self::format::Nonce;
use self::options::FolderOptions;
use self::stage::Staged;
use self::stripes::{StripeGuard, Stripes, ThreadGuard};
use self::tree::Tree;
use crate::clocks::Clocks;
use crate::failure::{Failure, Result};

/// The number of attempts at an operation that other processes interrupt.
const ATTEMPTS: usize = 64;

/// An open folder.
pub(crate) struct Folder {
    pub(crate) tree: Tree,
    pub(crate) stripes: Stripes,
    pub(crate) clocks: Clocks,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) lease: Duration,
}

impl Folder {
    /// Opens a folder, which is made if it is missing, for contents of this format.
    pub(crate) fn open(root: &Path, format: &'static str, options: FolderOptions) -> Result<Self> {
        let lease = options.lease;
        let claim = Claim { format, lease };
        Ok(Self {
            tree: Tree::open(root, claim, options.disk, options.durability, &*options.entropy)?,
            stripes: Stripes::new(lease),
            clocks: Clocks::new(options.clock, options.steady),
            entropy: options.entropy,
            lease,
        })
    }

    /// Returns sixteen random bytes.
    pub(crate) fn nonce(&self) -> Nonce {
        let mut nonce = Nonce::default();
        self.entropy.fill(&mut nonce);
        nonce
    }

    /// Excludes the other threads of this process from a stripe.
    pub(crate) fn lock_threads(&self, stripe: u8) -> ThreadGuard<'_> {
        self.stripes.lock_threads(&self.tree, stripe)
    }

    /// Excludes all other threads and processes from a stripe. The files to publish must have been staged before.
    pub(crate) fn lock_stripe(&self, stripe: u8, staged: &[&Staged<'_>]) -> Result<StripeGuard<'_>> {
        self.lock_threads(stripe).lock_processes(staged)
    }

    /// Runs an operation again as long as other processes interrupt it.
    pub(crate) fn with_retries<T>(&self, operation: impl Fn() -> Result<T>) -> Result<T> {
        for _ in 0..ATTEMPTS {
            match operation() {
                Err(Failure::Revoked) => {}
                result => return result,
            }
        }
        Err(Failure::Revoked)
    }
}
