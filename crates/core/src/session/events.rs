//! Methods that tell what happens to sessions.

use super::Session;
use crate::error::SessionError;
use crate::events::{EndedSession, EventStream};
use crate::keys::{Namespaces, Values};

impl<N: Namespaces, V: Values> Session<N, V> {
    /// Returns the events of all sessions in this process, from now on.
    ///
    /// # Errors
    ///
    /// [`EventsOff`](SessionError::EventsOff) unless the application [has asked for
    /// events](crate::SessionBuilder::events).
    pub fn events(&self) -> Result<EventStream, SessionError> {
        self.settings.subscribe()
    }

    /// Calls a function when the session of this visit ends, by whatever way: to free what belongs to it in this
    /// process. It is called once, with the last data of the session; not if this process ends before. A panic in it is
    /// caught and logged.
    ///
    /// The session has to be stored: a new one is once it was [closed](Session::close). If this process ends the
    /// session, the function is called then. If it expires, or another process ends it, the function is called by the
    /// next round of [`Registry::maintain`](crate::Registry::maintain) in this process; without rounds, functions of such
    /// sessions stay in memory. If another process gives it a
    /// new id, it counts as ended [elsewhere](crate::EndReason::Elsewhere), unless there is a
    /// [grace](crate::SessionBuilder::rotation_grace).
    ///
    /// # Errors
    ///
    /// [`EventsOff`](SessionError::EventsOff); [`NotInitialised`](SessionError::NotInitialised);
    /// [`NotStarted`](SessionError::NotStarted) if the session was not started or is not stored.
    ///
    /// ```
    /// use sessile_core::{EndReason, Events, Session, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).events(Events::new()).build();
    /// let first = session.enter(Visit::new(), async { session.set("upload", "/tmp/7") }).await?;
    ///
    /// let (tell, told) = std::sync::mpsc::channel();
    /// session.init(Visit::from(first.outcome.new_id()), async {
    ///     session.start_readonly().await?;
    ///     session.on_end(move |ended| {
    ///         let upload = ended.get("upload").ok().flatten();
    ///         tell.send((ended.reason(), upload)).ok();
    ///     })?;
    ///     session.destroy().await
    /// }).await??;
    /// assert_eq!(told.try_recv(), Ok((EndReason::Asked, Some("/tmp/7".into()))));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_end(&self, callback: impl FnOnce(EndedSession<'_, N, V>) + Send + 'static) -> Result<(), SessionError> {
        let context = self.context()?;
        let key = {
            let state = context.state();
            state.key.filter(|_| state.seen && state.meta().is_some())
        };
        let key = key.ok_or(SessionError::NotStarted)?;
        self.settings
            .add_callback(key, Box::new(move |end| callback(EndedSession::new(end))))
    }
}
