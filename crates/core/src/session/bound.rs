//! Sessions that are bound to one visit.

use std::any::TypeId;
use std::sync::Arc;

use super::Session;
use crate::error::SessionError;
use crate::keys::{Namespaces, Untyped, Values};
use crate::visit::{Context, Handle, Visits, innermost};

impl<N: Namespaces, V: Values> Session<N, V> {
    /// Returns this session bound to the current visit. A bound session refers to that visit in every task and on every
    /// thread, without entering a context there. Namespaces made from it are bound, too.
    ///
    /// Use it to hand work to other threads or tasks, such as a thread pool. It keeps as much of the visit alive as a
    /// [`Handle`] does, and like a handle it should not outlive the visit: keep the unbound session in application
    /// state and statics.
    ///
    /// # Errors
    ///
    /// [`NotInitialised`](SessionError::NotInitialised).
    ///
    /// ```
    /// use sessile_core::{Session, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// session.enter(Visit::new(), async {
    ///     let bound = session.bind()?;
    ///     std::thread::spawn(move || bound.set("user", "ada")).join().unwrap()?;
    ///     assert_eq!(session.get("user")?, Some("ada".into()));
    ///     Ok(())
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn bind(&self) -> Result<Self, SessionError> {
        Ok(Self::bound(self.handle()?.0))
    }

    /// Returns this session without its types: names are text and values are JSON. It refers to the same visits.
    ///
    /// It reads and writes the same data as the typed session; nothing checks that a value has the type that the typed
    /// session declares.
    ///
    /// ```
    /// use sessile_core::{Key, SessionError, ValueSession, Values, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// struct Account;
    ///
    /// impl Values for Account {}
    ///
    /// const USER_ID: Key<Account, u64> = Key::declare("user_id");
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session = ValueSession::<Account>::builder(MemoryStorage::new()).build();
    /// session.enter(Visit::new(), async {
    ///     session.set(USER_ID, 7)?;
    ///     assert_eq!(session.untyped().get("user_id")?, Some(7.into()));
    ///     Ok(())
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn untyped(&self) -> Session {
        Session {
            settings: Arc::clone(&self.settings),
            bound: self.bound.clone(),
            declared: std::marker::PhantomData,
        }
    }

    pub(super) fn bound(context: Arc<Context>) -> Self {
        context.mark_used_elsewhere();
        Self {
            bound: Some(Arc::clone(&context)),
            ..Self::from_settings(Arc::clone(&context.settings))
        }
    }
}

impl Session {
    /// Returns the innermost session in whose context the current code runs, regardless of its types: for libraries
    /// that do not know how the application declares its sessions. Names are text and values are JSON.
    ///
    /// ```
    /// use sessile_core::{Session, SessionError};
    ///
    /// /// In a library: stores a notice for the next page.
    /// async fn notify(text: &str) -> Result<(), SessionError> {
    ///     let session = Session::innermost().ok_or(SessionError::NotInitialised)?;
    ///     session.transaction(async || session.namespace("notices").set("next", text)).await
    /// }
    /// # let _ = notify;
    /// ```
    #[must_use]
    pub fn innermost() -> Option<Self> {
        innermost().map(Self::from_settings)
    }
}

impl Handle {
    /// Returns the session of the visit, [bound](Session::bind) to it, or `None` if it was declared with other
    /// namespaces or values.
    ///
    /// ```
    /// use sessile_core::{Session, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// session.enter(Visit::new(), async {
    ///     let handle = session.handle()?;
    ///     let bound: Session = handle.session().expect("the session has these types");
    ///     tokio::spawn(async move { bound.set("user", "ada") }).await.unwrap()
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn session<N: Namespaces, V: Values>(&self) -> Option<Session<N, V>> {
        let is_declared = self.0.settings.declared == TypeId::of::<(N, V)>();
        is_declared.then(|| Session::bound(Arc::clone(&self.0)))
    }

    /// Returns the session of the visit regardless of its types, [bound](Session::bind) to it; see
    /// [`Session::untyped`].
    #[must_use]
    pub fn untyped(&self) -> Session<Untyped, Untyped> {
        Session::bound(Arc::clone(&self.0))
    }
}

impl Visits {
    /// Returns the innermost session of these types, [bound](Session::bind) to its visit.
    #[must_use]
    pub fn session<N: Namespaces, V: Values>(&self) -> Option<Session<N, V>> {
        self.iter().find_map(Handle::session)
    }
}
