//! [`Shared`]: the part that a layer, its clones and all the services it makes have in common.

use std::sync::Arc;

use sessile_core::Session;

use crate::config::Config;

/// The session and the settings, behind one pointer: a clone of a layer or service counts one reference.
pub(crate) struct Shared<N, V> {
    pub(crate) session: Session<N, V>,
    /// The settings, behind another pointer, as futures keep them and are independent of the session's types.
    pub(crate) config: Arc<Config>,
}

impl<N, V> Clone for Shared<N, V> {
    fn clone(&self) -> Self {
        Self {
            session: self.session.clone(),
            config: Arc::clone(&self.config),
        }
    }
}
