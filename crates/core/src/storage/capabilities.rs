//! [`Capabilities`]: what a storage can do that not every storage can.

use std::fmt;

use crate::storage::ReportUsage;

/// What a [`Storage`](crate::Storage) or a [`RecordStore`](crate::RecordStore) offers beyond the verbs of its contract.
///
/// What is here is kept as strictly as a verb; what is not here cannot be had, and there is nothing weaker in its place.
/// So whoever needs a capability asks for it once, when the server starts, and fails there and then if it is missing:
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
/// A backend lists what it does, or says [`none`](Capabilities::none). A wrapper that only watches, delays or repeats
/// verbs hands on what it wraps has, as it is: `self.inner.capabilities()`. One that keeps something of the sessions itself,
/// or is made of several parts, hands on by name what is still true of the whole, and nothing else.
///
/// A capability that is added later is absent from whatever was written before it, which goes on compiling and goes on
/// being right.
#[derive(Clone, Copy, Default)]
#[must_use]
pub struct Capabilities<'a> {
    usage: Option<&'a dyn ReportUsage>,
}

impl<'a> Capabilities<'a> {
    /// No more than the contract.
    pub const fn none() -> Self {
        Self { usage: None }
    }

    /// With this way to find out how much there is, or without any.
    pub fn with_usage(mut self, usage: Option<&'a dyn ReportUsage>) -> Self {
        self.usage = usage;
        self
    }

    /// How to find out how much there is, if the storage knows.
    #[must_use]
    pub fn usage(&self) -> Option<&'a dyn ReportUsage> {
        self.usage
    }
}

/// Names what is there.
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
    fn only_what_is_offered_is_there() {
        assert!(Capabilities::none().usage().is_none());
        assert!(Capabilities::default().usage().is_none());
        let some = Capabilities::none().with_usage(Some(&Nothing));
        assert!(some.usage().is_some());
        assert!(some.with_usage(None).usage().is_none());
        assert_eq!(format!("{:?} {some:?}", Capabilities::none()), "{} {usage}");
    }
}
