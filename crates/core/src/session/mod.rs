//! [`Session`]: the handle an application keeps.

mod accessors;
mod bound;
mod builder;
mod drain;
mod facts;
mod lifecycle;
mod namespace;
mod updates;

mod values;

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

pub use self::builder::SessionBuilder;
pub use self::namespace::Namespace;
use crate::error::SessionError;
use crate::keys::{NamespaceName, Namespaces, Untyped, Values};
use crate::settings::Settings;
use crate::storage::IntoStorage;
use crate::visit::{Context, current, find_declared};

/// Sessions of one kind: where they are kept, what they hold, how long they last.
///
/// One value is made when the server starts. It is cheap to clone and can be kept in services, statics or state. Which
/// client's session it means is decided by the task it is used in: [`init`](Session::init) runs a future in the
/// context of one visit, and every call inside means that visit's session. A call outside of any context fails with
/// [`NotInitialised`](SessionError::NotInitialised).
///
/// `N` declares the namespaces and `V` the values, see [`Namespaces`] and [`Values`]. With [`Untyped`], the default,
/// names are text and values are JSON.
///
/// # The states of a visit
///
/// | state | reading | writing | how to get there |
/// |---|---|---|---|
/// | unstarted | `NotStarted` | `NotStarted` | where each visit begins |
/// | readable | yes | `NotWritable` | `start_readonly`, `close`, `release`, after `update` |
/// | writable | yes | yes | `start`, inside `update` |
/// | destroyed | `NotStarted` | `NotStarted` | `destroy`; `start` begins a new session |
///
/// # Examples
///
/// ```
/// use sessile_core::{Key, Session, SessionError, Untyped, Visit};
/// use sessile_memory::MemoryStorage;
///
/// const VISITS: Key<Untyped, u64> = Key::new("visits");
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
/// let session: Session = Session::builder(MemoryStorage::new()).build();
///
/// // A first visit, without an id.
/// let id = session.enter(Visit::new(), async {
///     session.update_key(VISITS, |visits| *visits += 1)?;
///     session.close().await?;
///     session.id().ok_or(SessionError::Gone)
/// }).await?;
///
/// // The next one brings the id along.
/// let visits = session.enter(Visit::from(id), async {
///     session.update_key(VISITS, |visits| { *visits += 1; *visits })
/// }).await?;
/// assert_eq!(visits, 2);
/// # Ok(())
/// # }
/// ```
pub struct Session<N = Untyped, V = Untyped> {
    settings: Arc<Settings>,
    /// The visit that is meant wherever the session is used, if it is bound to one.
    bound: Option<Arc<Context>>,
    declared: PhantomData<fn() -> (N, V)>,
}

impl<N: Namespaces, V: Values> Session<N, V> {
    /// Begins to set up a session that is kept in this storage.
    ///
    /// A storage that is shared is given as an [`Arc`].
    pub fn builder(storage: impl IntoStorage) -> SessionBuilder<N, V> {
        SessionBuilder::new(storage.into_storage())
    }

    /// The session of these namespaces and values in whose context the running code is; of several the innermost.
    ///
    /// ```
    /// use sessile_core::{Session, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// /// Deep in the application, where nobody has handed the session down.
    /// fn is_known() -> bool {
    ///     let session: Option<Session> = Session::current();
    ///     session.is_some_and(|session| session.exists())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// assert_eq!(session.init(Visit::new(), async { is_known() }).await.unwrap(), false);
    /// # }
    /// ```
    #[must_use]
    pub fn current() -> Option<Self> {
        let declared = TypeId::of::<(N, V)>();
        find_declared(declared).map(Self::from_settings)
    }

    /// A handle to one namespace. It can be made once, anywhere, and is used like the session: within a context.
    ///
    /// ```
    /// use sessile_core::{Session, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let cart = session.namespace("cart");
    ///
    /// session.enter(Visit::new(), async {
    ///     cart.set("item", "x")?;
    ///     assert_eq!(session.get("item")?, None);
    ///     assert_eq!(cart.get("item")?, Some("x".into()));
    ///     Ok(())
    /// }).await
    /// # }
    /// ```
    pub fn namespace<K: NamespaceName<N>>(&self, key: K) -> Namespace<K::Values> {
        Namespace::new(&self.settings, &self.bound, key.name(), key.default_expiration_with())
    }

    fn from_settings(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            bound: None,
            declared: PhantomData,
        }
    }

    /// The context of this session that the running code is in, or that the session is bound to.
    fn context(&self) -> Result<Arc<Context>, SessionError> {
        match &self.bound {
            Some(context) => Ok(Arc::clone(context)),
            None => current(&self.settings).ok_or(SessionError::NotInitialised),
        }
    }
}

impl<N, V> Clone for Session<N, V> {
    fn clone(&self) -> Self {
        Self {
            settings: Arc::clone(&self.settings),
            bound: self.bound.clone(),
            declared: PhantomData,
        }
    }
}

impl<N, V> fmt::Debug for Session<N, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}
