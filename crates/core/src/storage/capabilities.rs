//! [`Capabilities`]: optional features of a storage.

use std::fmt;

use crate::storage::{ReportUsage, WatchSessions};

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
    watch: Option<&'a dyn WatchSessions>,
}

impl<'a> Capabilities<'a> {
    /// Returns no capabilities.
    pub const fn none() -> Self {
        Self {
            usage: None,
            watch: None,
        }
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

    /// Sets or removes the ability to watch sessions.
    ///
    /// A wrapper forwards it if each write that it answers is in the wrapped storage by then: who is woken reads
    /// through the wrapper, and has to find the new state there.
    pub fn with_watch(mut self, watch: Option<&'a dyn WatchSessions>) -> Self {
        self.watch = watch;
        self
    }

    /// Returns the ability to watch sessions, if there is one.
    #[must_use]
    pub fn watch(&self) -> Option<&'a dyn WatchSessions> {
        self.watch
    }
}

/// Lists the names of the capabilities.
impl fmt::Debug for Capabilities<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usage = self.usage.map(|_| format_args!("usage"));
        let watch = self.watch.map(|_| format_args!("watch"));
        f.debug_set().entries(usage).entries(watch).finish()
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::id::SessionKey;
    use crate::storage::{StorageError, Usage, Watch, Watchers};

    struct Nothing;

    #[async_trait]
    impl ReportUsage for Nothing {
        async fn usage(&self) -> Result<Usage, StorageError> {
            Ok(Usage::new(0, 0))
        }
    }

    impl WatchSessions for Nothing {
        fn watch(&self, key: &SessionKey) -> Watch {
            Watchers::new().watch(key)
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
        assert!(some.watch().is_none());
        let both = some.with_watch(Some(&Nothing));
        assert!(both.watch().is_some());
        assert!(both.with_watch(None).watch().is_none());
        assert_eq!(format!("{both:?}"), "{usage, watch}");
    }
}
