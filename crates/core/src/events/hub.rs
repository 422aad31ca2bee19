//! [`Hub`]: hands events to those who asked for them.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::callbacks::Callbacks;
use super::caught::run_caught;
use super::stream::Queue;
use super::{Event, EventStream};
use crate::clock::Timestamp;

/// The default of [`Events::report_within`].
const REPORT_WITHIN: Duration = Duration::from_secs(30);

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
///         eprintln!("an id that names no session: {}", event.key);
///     }
/// });
/// let session: Session = Session::builder(MemoryStorage::new()).events(events).build();
/// ```
#[must_use]
pub struct Events {
    listeners: Vec<Listener>,
    buffer: usize,
    pub(crate) at_least_once: bool,
    pub(crate) report_within: Duration,
}

impl Events {
    /// Returns events that can be read from [streams](crate::Session::events) and that have no listener yet.
    pub fn new() -> Self {
        Self {
            listeners: Vec::new(),
            buffer: 1_024,
            at_least_once: false,
            report_within: REPORT_WITHIN,
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
    /// its interval, and the end of a session whose process was killed within the interval and
    /// [30 seconds](Events::report_within), as is one that several callers make at once, mostly earlier. An end is reported twice if the process that reports it is killed, or
    /// sleeps for 30 seconds, before it has noted that it did.
    ///
    /// Creating a session, giving it a new id and letting it expire earlier take two more storage calls, and ending one
    /// five; other requests none.
    /// All processes that share the storage must have the same setting.
    pub fn at_least_once(mut self) -> Self {
        self.at_least_once = true;
        self
    }

    /// Sets how long a process may take to report an end [at least once](Events::at_least_once) before another does it:
    /// by default 30 seconds. It should be longer than the listeners and the storage ever take: with a shorter time,
    /// reports come sooner after a crash, and duplicates are more likely. Processes may differ.
    pub fn report_within(mut self, time: Duration) -> Self {
        self.report_within = time;
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
            .field("report_within", &self.report_within)
            .finish()
    }
}

/// Hands events to listeners, streams and callbacks.
pub(crate) struct Hub {
    listeners: Vec<Listener>,
    buffer: usize,
    streams: Mutex<Vec<Weak<Queue>>>,
    pub(crate) callbacks: Callbacks,
    /// The number of the next round of the maintenance.
    round: AtomicUsize,
}

impl Hub {
    pub(crate) fn new(events: Events, now: Timestamp) -> Self {
        Self {
            listeners: events.listeners,
            buffer: events.buffer,
            streams: Mutex::default(),
            callbacks: Callbacks::default(),
            // Short-lived processes do not all begin with the same round.
            round: AtomicUsize::new(now.as_millis() as usize),
        }
    }

    pub(crate) fn next_round(&self) -> usize {
        self.round.fetch_add(1, Ordering::Relaxed)
    }

    fn streams(&self) -> MutexGuard<'_, Vec<Weak<Queue>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn subscribe(&self) -> EventStream {
        let queue = Queue::new(self.buffer);
        let mut streams = self.streams();
        streams.retain(|stream| stream.strong_count() > 0);
        streams.push(Arc::downgrade(&queue));
        EventStream::new(queue)
    }

    pub(crate) fn emit(&self, event: &Event) {
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
