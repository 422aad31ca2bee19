//! The values of a session that belong to no namespace.

use serde::Serialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::Session;
use super::accessors::value_calls;
use crate::error::SessionError;
use crate::expiration::Expiration;
use crate::keys::{Accepts, Namespaces, ValueKey, Values};
use crate::visit::ValueScope;

/// Methods for values. They work on the loaded data and never wait for the storage.
impl<N: Namespaces, V: Values> Session<N, V> {
    value_calls!(
        "session",
        "Removes all values and all namespaces. The session continues empty and keeps its expiration and its id."
    );

    /// Returns the names of all existing namespaces, in the order in which they began.
    ///
    /// # Errors
    ///
    /// [`NotStarted`](SessionError::NotStarted), [`Gone`](SessionError::Gone).
    ///
    /// ```
    /// use sessile_core::{Session, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// session.enter(Visit::new(), async {
    ///     session.namespace("cart").set("items", ["tea"])?;
    ///     session.namespace("draft").set("title", "On tea")?;
    ///     assert_eq!(session.namespaces()?, ["cart", "draft"]);
    ///     session.clear()?;
    ///     assert!(session.namespaces()?.is_empty());
    ///     Ok(())
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn namespaces(&self) -> Result<Vec<String>, SessionError> {
        self.scope().namespaces()
    }

    fn scope(&self) -> ValueScope<'_> {
        ValueScope {
            settings: &self.settings,
            bound: self.bound.as_ref(),
            namespace: None,
            namespace_expiration: None,
        }
    }
}
