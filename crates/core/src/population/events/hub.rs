//! [`Hub`]: hands events to those who asked for them.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::callbacks::{Callback, Callbacks};
use super::stream::Queue;
use super::{Event, EventKind, EventStream};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::telemetry;

type Listener = Box<dyn Fn(&Event) + Send + Sync>;

/// The events that an application asks for; see [`SessionBuilder::events`](crate::SessionBuilder::events).
///
/// Events are reported in the process in which they arise, after the fact: at most once, and not if the process is
/// killed in between. Ends of sessions can be reported [at least once](Events::at_least_once).
///
/// ```
/// use sessile_core::{EventKind, Events, Session};
/// use sessile_memory::MemoryStorage;
///
/// let events = Events::new().listen(|event| {
///     if event.kind == EventKind::UnknownId {
///         eprintln!("somebody guesses ids");
///     }
/// });
/// let session: Session = Session::builder(MemoryStorage::new()).events(events).build();
/// ```
#[must_use]
pub struct Events {
    listeners: Vec<Listener>,
    buffer: usize,
    pub(crate) at_least_once: bool,
}

impl Events {
    /// Returns events that can be read from [streams](crate::Session::events) and that have no listener yet.
    pub fn new() -> Self {
        Self {
            listeners: Vec::new(),
            buffer: 1_024,
            at_least_once: false,
        }
    }

    /// Adds a listener. It is called by the task in which the event arises, which waits for it: it should be quick, and
    /// hand slow work to a task of its own. A panic in it is caught and logged.
    pub fn listen(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.listeners.push(Box::new(listener));
        self
    }

    /// Sets how many events wait for each [stream](crate::Session::events): by default 1,024.
    pub fn buffer(mut self, events: usize) -> Self {
        self.buffer = events;
        self
    }

    /// Reports the end of every session at least once, and its expiry, too, by one of the processes that share the
    /// storage: also if the process that ends a session is killed meanwhile.
    ///
    /// At least one process has to run [`Registry::maintain`](crate::Registry::maintain). An expiry is reported within
    /// its interval, and the end of a session whose process was killed within the interval and 30 seconds. An end is
    /// reported twice if the process that reports it is killed, or sleeps for 30 seconds, before it has noted that it
    /// did.
    ///
    /// Creating, renewing and ending a session each take two more storage calls, four to end it; other requests none.
    /// All processes that share the storage must have the same setting.
    pub fn at_least_once(mut self) -> Self {
        self.at_least_once = true;
        self
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("listeners", &self.listeners.len())
            .field("buffer", &self.buffer)
            .field("at_least_once", &self.at_least_once)
            .finish()
    }
}

/// Hands events to listeners, streams and callbacks.
pub(crate) struct Hub {
    listeners: Vec<Listener>,
    buffer: usize,
    streams: Mutex<Vec<Weak<Queue>>>,
    pub(super) callbacks: Callbacks,
    /// The number of rounds of the maintenance.
    rounds: AtomicUsize,
}

impl Hub {
    pub(crate) fn new(events: Events) -> Self {
        Self {
            listeners: events.listeners,
            buffer: events.buffer,
            streams: Mutex::default(),
            callbacks: Callbacks::default(),
            rounds: AtomicUsize::new(0),
        }
    }

    pub(super) fn next_round(&self) -> usize {
        self.rounds.fetch_add(1, Ordering::Relaxed)
    }

    fn streams(&self) -> MutexGuard<'_, Vec<Weak<Queue>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribe(&self) -> EventStream {
        let queue = Queue::new(self.buffer);
        let mut streams = self.streams();
        streams.retain(|stream| stream.strong_count() > 0);
        streams.push(Arc::downgrade(&queue));
        EventStream::new(queue)
    }

    fn emit(&self, event: &Event) {
        for listener in &self.listeners {
            run_caught(|| listener(event));
        }
        let streams: Vec<_> = self.streams().iter().filter_map(Weak::upgrade).collect();
        for stream in streams {
            stream.push(event.clone());
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        for stream in self.streams().iter().filter_map(Weak::upgrade) {
            stream.close();
        }
    }
}

/// Runs code of the application that must not stop anything else.
pub(super) fn run_caught(code: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(code)).is_err() {
        telemetry::listener_panicked();
    }
}

impl Settings {
    /// Reports an event. The caller holds no lock.
    pub(crate) fn emit(&self, kind: EventKind, key: &SessionKey, owner: Option<&str>) {
        telemetry::happened(kind);
        let Some(hub) = &self.hub else { return };
        let now: Timestamp = self.storage.clock().now();
        hub.emit(&Event {
            kind,
            key: *key,
            owner: owner.map(Into::into),
            at: now.into(),
        });
    }

    pub(crate) fn add_callback(&self, key: SessionKey, callback: Callback) -> Result<(), SessionError> {
        let hub = self.hub.as_ref().ok_or(SessionError::EventsOff)?;
        hub.callbacks.add(key, callback);
        Ok(())
    }

    pub(crate) fn subscribe(&self) -> Result<EventStream, SessionError> {
        match &self.hub {
            Some(hub) => Ok(hub.subscribe()),
            None => Err(SessionError::EventsOff),
        }
    }
}
