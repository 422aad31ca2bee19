//! [`Operation`]: the operations of a storage, by name.

use std::fmt;

/// An operation of a [`Storage`](crate::Storage).
///
/// A new operation is a new variant: a breaking change, as it is for the trait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// [`Storage::read`](crate::Storage::read)
    Read,
    /// [`Storage::lock`](crate::Storage::lock)
    Lock,
    /// [`Storage::create`](crate::Storage::create)
    Create,
    /// [`Storage::commit`](crate::Storage::commit)
    Commit,
    /// [`Storage::replace`](crate::Storage::replace)
    Replace,
    /// [`Storage::rotate`](crate::Storage::rotate)
    Rotate,
    /// [`Storage::release`](crate::Storage::release)
    Release,
    /// [`Storage::renew`](crate::Storage::renew)
    Renew,
    /// [`Storage::touch`](crate::Storage::touch)
    Touch,
    /// [`Storage::destroy`](crate::Storage::destroy)
    Destroy,
    /// [`Storage::scan`](crate::Storage::scan)
    Scan,
    /// [`Storage::sweep`](crate::Storage::sweep)
    Sweep,
}

impl Operation {
    /// Every operation, in the order of the trait. The index of one is `operation as usize`.
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

    /// Returns the name of the method, which is also the [operation](crate::StorageError::operation) in errors.
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
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
