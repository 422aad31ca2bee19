//! [`Registry`]: lists sessions and ends them.

mod audit;
mod end;
mod info;
mod list;
mod maintain;
mod watch;

use std::fmt;
use std::sync::Arc;

pub use self::audit::Audit;
pub use self::info::{SessionInfo, SessionList};
pub use self::watch::{SessionChange, SessionWatch};
use crate::settings::Settings;

/// All sessions of one storage: who is logged in, since when, and from where; and how to end them.
///
/// It works on [keys](crate::SessionKey), never on ids, so a list that is seen by others gives no session away. It waits for no
/// session's lock and decodes no payload: ending a session does not depend on what its visits do, and a listing costs
/// what it shows.
///
/// Owners are told by [`log_in`](crate::Session::log_in). A session that is logged in is never missing from its owner's
/// list, and when a call that ends sessions has returned, no visit ever loads them again.
///
/// ```
/// use sessile_core::{Session, SessionError, Visit};
/// use sessile_memory::MemoryStorage;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
/// let session: Session = Session::builder(MemoryStorage::new()).build();
/// for device in ["laptop", "phone"] {
///     session.enter(Visit::new(), async {
///         session.log_in("ada")?;
///         session.set("device", device)
///     }).await?;
/// }
///
/// let registry = session.registry();
/// assert_eq!(registry.by_owner("ada").await?.len(), 2);
/// assert_eq!(registry.end_all("ada").await?, 2);
/// assert!(registry.by_owner("ada").await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Registry {
    settings: Arc<Settings>,
}

impl Registry {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self { settings }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("storage", &self.settings.storage.name())
            .finish_non_exhaustive()
    }
}
