//! [`Visits`]: the visits that go along with a request.

use super::Handle;
use crate::keys::{Namespaces, Values};
use crate::session::Session;

/// The visits that a request has, to be carried in its extensions to handlers that run in another task than the layers
/// which have opened them.
///
/// Frameworks put it there if the application wants them to.
///
/// ```
/// use sessile_core::{Session, SessionError, Visit, Visits};
/// use sessile_memory::MemoryStorage;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
/// let session: Session = Session::builder(MemoryStorage::new()).build();
/// let visit = session.open(Visit::new());
/// let mut visits = Visits::default();
/// visits.push(visit.handle().clone());
///
/// let handler = tokio::spawn(async move {
///     let session: Session = visits.session().expect("it is of these types");
///     session.start().await?;
///     session.set("user", "ada")
/// });
/// handler.await.unwrap()?;
/// visit.close().await
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Visits(Vec<Handle>);

impl Visits {
    /// Adds a visit, which is inside of all that are there.
    pub fn push(&mut self, visit: Handle) {
        visit.0.used_elsewhere();
        self.0.push(visit);
    }

    /// The visits, from the innermost outwards.
    pub fn iter(&self) -> impl Iterator<Item = &Handle> {
        self.0.iter().rev()
    }

    /// The innermost session of these types, [bound](Session::bind) to its visit.
    #[must_use]
    pub fn session<N: Namespaces, V: Values>(&self) -> Option<Session<N, V>> {
        self.iter().find_map(Handle::session)
    }
}
