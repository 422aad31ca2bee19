//! The operations of a storage.

use std::fmt;

/// An operation of [`Storage`](sessile_core::Storage).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// [`Storage::read`](sessile_core::Storage::read)
    Read,
    /// [`Storage::lock`](sessile_core::Storage::lock)
    Lock,
    /// [`Storage::create`](sessile_core::Storage::create)
    Create,
    /// [`Storage::commit`](sessile_core::Storage::commit)
    Commit,
    /// [`Storage::replace`](sessile_core::Storage::replace)
    Replace,
    /// [`Storage::rotate`](sessile_core::Storage::rotate)
    Rotate,
    /// [`Storage::release`](sessile_core::Storage::release)
    Release,
    /// [`Storage::renew`](sessile_core::Storage::renew)
    Renew,
    /// [`Storage::touch`](sessile_core::Storage::touch)
    Touch,
    /// [`Storage::destroy`](sessile_core::Storage::destroy)
    Destroy,
    /// [`Storage::scan`](sessile_core::Storage::scan)
    Scan,
    /// [`Storage::sweep`](sessile_core::Storage::sweep)
    Sweep,
}

impl Operation {
    /// Every operation, in the order of the trait.
    pub const ALL: [Self; 12] = [
        Self::Read,
        Self::Lock,
        Self::Create,
        Self::Commit,
        Self::Replace,
        Self::Rotate,
        Self::Release,
        Self::Renew,
        Self::Touch,
        Self::Destroy,
        Self::Scan,
        Self::Sweep,
    ];

    /// Returns the name of the method, which is also the [operation](sessile_core::StorageError::operation) in errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Lock => "lock",
            Self::Create => "create",
            Self::Commit => "commit",
            Self::Replace => "replace",
            Self::Rotate => "rotate",
            Self::Release => "release",
            Self::Renew => "renew",
            Self::Touch => "touch",
            Self::Destroy => "destroy",
            Self::Scan => "scan",
            Self::Sweep => "sweep",
        }
    }

    /// Returns the index of the operation in [`Operation::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
