//! [`Durability`]: what an acknowledged write survives.

/// What a write that was acknowledged survives.
///
/// Either way a write is all or nothing, and survives the end of any process, `SIGKILL` included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// The end of the process, of the operating system, and of the power: file and folder are synced before a verb
    /// answers. As good as the disk's promise to have written what it says it has.
    #[default]
    Sync,
    /// The end of the process only. Nothing is synced: after a power cut recent writes may be missing, and sessions
    /// that were being written may be found damaged and set aside. For `tmpfs`, which does not survive anyway, and for
    /// sessions that may be lost together with the machine.
    Relaxed,
}

impl Durability {
    pub(crate) const fn syncs(self) -> bool {
        matches!(self, Self::Sync)
    }
}
