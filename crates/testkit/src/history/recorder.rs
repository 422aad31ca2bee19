//! [`Recorder`]: the collector of histories.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::event::Event;
use super::{History, RecordedCall};
use crate::locked;

/// Collects the calls of several [`Recording`](super::Recording) storages. Clones share their data.
///
/// ```
/// use sessile_core::{Meta, OsEntropy, Record, SessionId, Storage};
/// use sessile_testkit::history::{Mark, Recorder, Recording};
/// use sessile_testkit::ModelStorage;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let recorder = Recorder::new();
/// let model = ModelStorage::new();
/// let one = Recording::new(model.clone(), recorder.clone(), 1);
/// let two = Recording::new(model, recorder.clone(), 2);
///
/// let key = SessionId::generate(&OsEntropy).key();
/// let record = Record::new(Meta::new(one.clock().now()), Mark::first(1).to_payload());
/// one.create(&key, record).await.unwrap();
/// two.read(&key).await.unwrap();
///
/// let summary = recorder.history().check().unwrap();
/// assert_eq!((summary.calls, summary.writes), (2, 1));
/// # }
/// ```
#[derive(Clone)]
pub struct Recorder {
    sink: Arc<dyn Fn(Event) + Send + Sync>,
    numbers: Arc<AtomicU64>,
    events: Arc<Mutex<EventLog>>,
}

/// The calls, assembled from events.
#[derive(Debug, Default)]
pub(crate) struct EventLog(BTreeMap<(u64, u64), RecordedCall>);

impl EventLog {
    pub(crate) fn add(&mut self, event: Event) {
        match event {
            Event::Invoked { number, recorded } => {
                self.0.insert((recorded.process, number), recorded);
            }
            Event::Completed {
                process,
                number,
                completion,
            } => {
                if let Some(recorded) = self.0.get_mut(&(process, number)) {
                    recorded.completion = Some(completion);
                }
            }
        }
    }

    #[cfg(feature = "torture")]
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn history(&self) -> History {
        History {
            calls: self.0.values().cloned().collect(),
        }
    }
}

impl Recorder {
    /// Creates an empty recorder.
    #[must_use]
    pub fn new() -> Self {
        let events = Arc::new(Mutex::new(EventLog::default()));
        let collected = Arc::clone(&events);
        Self {
            sink: Arc::new(move |event| locked(&collected).add(event)),
            numbers: Arc::default(),
            events,
        }
    }

    /// Creates a recorder that passes each event to `sink` and collects nothing.
    #[cfg(feature = "torture")]
    pub(crate) fn to(sink: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self {
            sink: Arc::new(sink),
            numbers: Arc::default(),
            events: Arc::default(),
        }
    }

    /// Records an event.
    pub(super) fn write(&self, event: Event) {
        (self.sink)(event);
    }

    /// Returns a unique number for a call.
    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns the calls collected so far.
    #[must_use]
    pub fn history(&self) -> History {
        locked(&self.events).history()
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}
