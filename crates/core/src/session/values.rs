//! The values of a session that stand in no namespace.

use serde::Serialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::Session;
use super::accessors::value_calls;
use crate::error::SessionError;
use crate::expiration::Expiration;
use crate::keys::{Namespaces, Takes, ValueKey, Values};
use crate::visit::ValueScope;

/// Values. All of these are plain calls: they work on what was loaded, and wait for nothing.
impl<N: Namespaces, V: Values> Session<N, V> {
    value_calls!(
        update_key,
        "session",
        "Removes all values, and all namespaces with what is in them. The session goes on, empty, with the expiration and \
         the id that it has."
    );

    /// The names of all namespaces that are there, in the order in which they began.
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
    /// }).await
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
