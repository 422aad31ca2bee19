//! [`Namespace`]: a handle to one namespace of a session.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::accessors::value_calls;
use crate::error::SessionError;
use crate::expiration::Expiration;
use crate::keys::{Accepts, Untyped, ValueKey, Values};
use crate::settings::Settings;
use crate::visit::{Context, ValueScope};

/// A namespace of a session: a group of values with an expiration of its own.
///
/// Created by [`Session::namespace`](crate::Session::namespace) and cheap to clone. Like the session, it refers to the
/// visit in whose context it is used. A namespace begins when the first value is set in it. Visits that do not use it
/// do not parse it.
pub struct Namespace<V = Untyped> {
    pub(super) settings: Arc<Settings>,
    pub(super) bound: Option<Arc<Context>>,
    pub(super) name: Arc<str>,
    pub(super) expiration: Option<fn() -> Expiration>,
    pub(super) declared: PhantomData<fn() -> V>,
}

impl<V: Values> Namespace<V> {
    /// Returns the name of the namespace.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Removes the namespace and all its values. Returns whether it existed.
    ///
    /// # Errors
    ///
    /// The errors of [`set`](Self::set).
    pub fn destroy(&self) -> Result<bool, SessionError> {
        self.scope().destroy()
    }

    fn scope(&self) -> ValueScope<'_> {
        ValueScope {
            settings: &self.settings,
            bound: self.bound.as_ref(),
            namespace: Some(&self.name),
            namespace_expiration: self.expiration,
        }
    }

    value_calls!("namespace", "Removes all values. The namespace keeps its expiration.");
}

impl<V> Clone for Namespace<V> {
    fn clone(&self) -> Self {
        Self {
            settings: Arc::clone(&self.settings),
            bound: self.bound.clone(),
            name: Arc::clone(&self.name),
            expiration: self.expiration,
            declared: PhantomData,
        }
    }
}

impl<V> fmt::Debug for Namespace<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
