//! A session whose events are recorded, as one of several processes has it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile_core::{
    EndReason, EventKind, Events, Expiration, Session, SessionBuilder, SessionError, SessionId, Storage, TokioClock,
    Untyped, Visit,
};
use sessile_memory::MemoryStorage;

pub(crate) type Seen = Arc<Mutex<Vec<(EventKind, Option<String>)>>>;

/// A session whose events are recorded, on a storage with a clock that stands still.
pub(crate) struct World {
    pub(crate) session: Session,
    pub(crate) storage: Arc<MemoryStorage>,
    seen: Seen,
}

impl World {
    pub(crate) fn new(
        configure: impl FnOnce(SessionBuilder<Untyped, Untyped>) -> SessionBuilder<Untyped, Untyped>,
    ) -> Self {
        let storage = MemoryStorage::builder()
            .clock(TokioClock::start())
            .sweeper(false)
            .build();
        let storage = Arc::new(storage);
        let (session, seen) = Self::process(&storage, configure);
        Self { session, storage, seen }
    }

    /// Returns the session as another process on the same storage has it.
    pub(crate) fn process<S: Storage>(
        storage: &Arc<S>,
        configure: impl FnOnce(SessionBuilder<Untyped, Untyped>) -> SessionBuilder<Untyped, Untyped>,
    ) -> (Session, Seen) {
        let seen = Seen::default();
        let recorder = Arc::clone(&seen);
        let events = Events::new().at_least_once().listen(move |event| {
            recorder
                .lock()
                .expect("no listener panics")
                .push((event.kind, event.owner.as_deref().map(Into::into)));
        });
        let builder = Session::builder(Arc::clone(storage)).events(events);
        let session = configure(builder.default_expiration(Expiration::After(Duration::from_secs(100)))).build();
        (session, seen)
    }

    pub(crate) fn take(&self) -> Vec<(EventKind, Option<String>)> {
        std::mem::take(&mut self.seen.lock().expect("no listener panics"))
    }

    pub(crate) async fn log_in(&self, owner: &str) -> Result<SessionId, SessionError> {
        let finished = self.session.enter(Visit::new(), async { self.session.log_in(owner) });
        Ok(finished.await?.outcome.new_id().expect("the session has begun"))
    }
}

pub(crate) fn ended(reason: EndReason, owner: &str) -> (EventKind, Option<String>) {
    (EventKind::Ended(reason), Some(owner.into()))
}
