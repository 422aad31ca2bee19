//! The values of a session that stand in no namespace.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Session;
use super::value_calls::{name_of, value_calls};
use crate::context::Place;
use crate::error::SessionError;
use crate::expiration::Expiration;
use crate::keys::{Namespaces, ValueKey, Values};

/// Values. All of these are plain calls: they work on what was loaded, and wait for nothing.
impl<N: Namespaces, V: Values> Session<N, V> {
    value_calls!(update_key, "session");

    fn place(&self) -> Place<'_> {
        Place {
            engine: &self.engine,
            bound: self.bound.as_ref(),
            namespace: None,
            namespace_expiration: None,
        }
    }
}
