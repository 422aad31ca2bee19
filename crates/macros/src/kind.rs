//! [`Kind`]: the two derives.

/// The derive, and so the trait to implement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Values,
    Namespaces,
}

impl Kind {
    /// Returns what the fields declare, for messages.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Values => "values",
            Self::Namespaces => "namespaces",
        }
    }
}
