//! [`Capabilities`]: optional features of a storage.

use std::fmt;

use crate::storage::ReportUsage;

/// The optional features of a [`Storage`](crate::Storage) or a [`RecordStore`](crate::RecordStore), beyond the
/// operations of its contract.
///
/// A capability is as binding as an operation, and there is no weaker substitute for a missing one. An application that
/// needs a capability checks for it once, when the server starts, and fails there and then if it is missing:
///
/// ```
/// use sessile_core::{Capabilities, NullStorage, Storage};
///
/// let storage = NullStorage;
/// if let Some(usage) = storage.capabilities().usage() {
///     // ... have it reported now and then
/// #   let _ = usage;
/// } else {
///     // ... say so, or refuse to start
/// }
/// ```
///
/// # For authors
///
/// A backend lists its capabilities, or returns [`none`](Capabilities::none). A wrapper that only observes, delays or
/// repeats operations forwards those of the wrapped storage: `self.inner.capabilities()`. A wrapper that keeps data of
/// sessions itself, or combines several parts, forwards by name the capabilities that hold for the whole, and no
/// others.
///
/// Code written before a capability was added does not have it, still compiles and is still right.
#[derive(Clone, Copy, Default)]
#[must_use]
pub struct Capabilities<'a> {
    usage: Option<&'a dyn ReportUsage>,
}

impl<'a> Capabilities<'a> {
    /// Returns no capabilities.
    pub const fn none() -> Self {
        Self { usage: None }
    }

    /// Sets or removes the ability to report usage.
    pub fn with_usage(mut self, usage: Option<&'a dyn ReportUsage>) -> Self {
        self.usage = usage;
        self
    }

    /// Returns the ability to report usage, if there is one.
    #[must_use]
    pub fn usage(&self) -> Option<&'a dyn ReportUsage> {
        self.usage
    }
}

/// Lists the names of the capabilities.
impl fmt::Debug for Capabilities<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [self.usage.map(|_| format_args!("usage"))];
        f.debug_set().entries(names.into_iter().flatten()).finish()
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::storage::{StorageError, Usage};

    struct Nothing;

    #[async_trait]
    impl ReportUsage for Nothing {
        async fn usage(&self) -> Result<Usage, StorageError> {
            Ok(Usage::new(0, 0))
        }
    }

    #[test]
    fn only_offered_capabilities_are_present() {
        assert!(Capabilities::none().usage().is_none());
        assert!(Capabilities::default().usage().is_none());
        let some = Capabilities::none().with_usage(Some(&Nothing));
        assert!(some.usage().is_some());
        assert!(some.with_usage(None).usage().is_none());
        assert_eq!(format!("{:?} {some:?}", Capabilities::none()), "{} {usage}");
    }
}
