//! [`Session`]: the entry point for applications.

mod accessors;
mod bound;
mod builder;
mod enter;
mod events;
mod facts;
mod lifecycle;
mod namespace;
mod owner;
mod tasks;
mod transactions;
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

/// A kind of session: its storage, its contents and its lifetime.
///
/// Create one value when the server starts. It is cheap to clone and can be kept in services, statics or application
/// state. The current task determines which client's session it refers to: [`init`](Session::init) runs a future in the
/// context of one visit, and every call inside uses the session of that visit. A call outside of any context fails with
/// [`NotInitialised`](SessionError::NotInitialised).
///
/// `N` declares the namespaces and `V` the values, see [`Namespaces`] and [`Values`]. With [`Untyped`], the default,
/// names are text and values are JSON.
///
/// # The states of a visit
///
/// | state | reading | writing | how to get there |
/// |---|---|---|---|
/// | unstarted | `NotStarted` | `NotStarted` | initial state of each visit |
/// | readable | yes | `NotWritable` | `start_readonly`, `close`, `release`, after `transaction` |
/// | writable | yes | yes | `start`, inside `transaction` |
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
/// let first = session.enter(Visit::new(), async { session.update(VISITS, |visits| *visits += 1) }).await?;
/// let id = first.outcome.new_id().expect("the session has begun");
///
/// // The next one brings the id along.
/// let second = session.enter(Visit::from(id), async {
///     session.update(VISITS, |visits| { *visits += 1; *visits })
/// }).await?;
/// assert_eq!(second.output, 2);
/// # Ok(())
/// # }
/// ```
pub struct Session<N = Untyped, V = Untyped> {
    settings: Arc<Settings>,
    /// The visit to which the session is bound, if it is bound.
    bound: Option<Arc<Context>>,
    declared: PhantomData<fn() -> (N, V)>,
}

/// A session that declares its values and no namespaces.
///
/// ```
/// use sessile_core::{ValueSession, Values};
/// use sessile_memory::MemoryStorage;
///
/// #[derive(Values)]
/// #[session(crate = "sessile_core")]
/// struct Visitor {
///     name: String,
/// }
///
/// let session = ValueSession::<Visitor>::builder(MemoryStorage::new()).build();
/// ```
pub type ValueSession<V> = Session<Untyped, V>;

impl<N: Namespaces, V: Values> Session<N, V> {
    /// Returns a builder for sessions kept in `storage`.
    ///
    /// Pass a shared storage as an [`Arc`].
    pub fn builder(storage: impl IntoStorage) -> SessionBuilder<N, V> {
        SessionBuilder::new(storage.into_storage())
    }

    /// Returns the innermost session with these namespaces and values in whose context the current code runs.
    ///
    /// ```
    /// use sessile_core::{Session, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// /// Deep in the application, where no session is passed as a parameter.
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

    /// Returns a handle to one namespace. It can be created once, anywhere, and is used like the session: within a
    /// context.
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
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn namespace<K: NamespaceName<N>>(&self, key: K) -> Namespace<K::Values> {
        Namespace {
            settings: Arc::clone(&self.settings),
            bound: self.bound.clone(),
            name: key.name().into(),
            expiration: key.slot().default_expiration,
            declared: PhantomData,
        }
    }

    fn from_settings(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            bound: None,
            declared: PhantomData,
        }
    }

    /// Returns the context of this session in which the current code runs, or to which the session is bound.
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
