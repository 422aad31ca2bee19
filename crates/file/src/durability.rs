//! [`Durability`]: the failures that an acknowledged write survives.

/// The failures that an acknowledged write survives.
///
/// With either variant a write is atomic and survives the end of any process, `SIGKILL` included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// Survives the end of the process, a crash of the operating system and a power cut.
    ///
    /// File and folder are synced before an operation returns. The guarantee is as strong as the disk's: the disk must
    /// have written what it reports as written.
    #[default]
    Sync,
    /// Survives the end of the process only.
    ///
    /// Nothing is synced. After a power cut recent writes may be missing, and sessions that were being written may be
    /// corrupt and are quarantined. Suitable for `tmpfs`, and for sessions that may be lost with the machine.
    Relaxed,
}

impl Durability {
    /// Returns whether files and folders are synced.
    pub(crate) const fn syncs(self) -> bool {
        matches!(self, Self::Sync)
    }
}
