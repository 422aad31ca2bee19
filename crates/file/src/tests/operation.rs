//! [`Operation`]: the operations that the tests interrupt.

/// An operation that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Lock,
    Commit,
    Rotate,
    RotateWithGrace,
    Release,
    Renew,
    Touch,
    Destroy,
    Sweep,
    Quarantine,
}

impl Operation {
    pub(crate) const ALL: [Self; 11] = [
        Self::Create,
        Self::Lock,
        Self::Commit,
        Self::Rotate,
        Self::RotateWithGrace,
        Self::Release,
        Self::Renew,
        Self::Touch,
        Self::Destroy,
        Self::Sweep,
        Self::Quarantine,
    ];

    pub(crate) fn named(name: &str) -> Self {
        *Self::ALL
            .iter()
            .find(|operation| format!("{operation:?}") == name)
            .expect("the name of an operation")
    }

    pub(crate) fn needs_lock(self) -> bool {
        matches!(
            self,
            Self::Commit | Self::Rotate | Self::RotateWithGrace | Self::Release | Self::Renew
        )
    }
}
