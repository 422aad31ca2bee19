//! A subscriber and a recorder that signal.

use std::sync::Arc;

use crate::bell::Bell;

/// Runs a function while what the thread does is listened to.
pub(crate) fn listening<R>(bell: &Arc<Bell>, f: impl FnOnce() -> R) -> R {
    #[cfg(feature = "metrics")]
    let f = || metrics::with_local_recorder(&self::recorder::Ringing(Arc::clone(bell)), f);
    #[cfg(feature = "tracing")]
    let f = || tracing::subscriber::with_default(self::subscriber::Ringing(Arc::clone(bell)), f);
    f()
}

#[cfg(feature = "tracing")]
pub(crate) mod subscriber {
    use std::fmt::Debug;
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use crate::bell::{Bell, Source};

    /// The messages of all events that were sent.
    pub(crate) static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

    pub(super) struct Ringing(pub(super) Arc<Bell>);

    struct Message(String);

    impl Visit for Message {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            if field.name() == "message" {
                self.0 = format!("{value:?}");
            }
        }
    }

    impl Subscriber for Ringing {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target().starts_with("sessile")
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            self.0.ring(Source::Span);
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {
            self.0.ring(Source::Span);
        }

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut message = Message(String::new());
            event.record(&mut message);
            HEARD.lock().expect("nobody panics with it").push(message.0);
            self.0.ring(Source::Event);
        }

        fn enter(&self, _: &Id) {
            self.0.ring(Source::Span);
        }

        fn exit(&self, _: &Id) {
            self.0.ring(Source::Span);
        }

        fn try_close(&self, _: Id) -> bool {
            self.0.ring(Source::Span);
            true
        }
    }
}

#[cfg(feature = "metrics")]
mod recorder {
    use std::sync::Arc;

    use metrics::{
        Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString,
        Unit,
    };

    use crate::bell::{Bell, Source};

    pub(super) struct Ringing(pub(super) Arc<Bell>);

    struct Instrument(Arc<Bell>);

    impl CounterFn for Instrument {
        fn increment(&self, _: u64) {
            self.0.ring(Source::Metric);
        }

        fn absolute(&self, _: u64) {
            self.0.ring(Source::Metric);
        }
    }

    impl GaugeFn for Instrument {
        fn increment(&self, _: f64) {
            self.0.ring(Source::Metric);
        }

        fn decrement(&self, _: f64) {
            self.0.ring(Source::Metric);
        }

        fn set(&self, _: f64) {
            self.0.ring(Source::Metric);
        }
    }

    impl HistogramFn for Instrument {
        fn record(&self, _: f64) {
            self.0.ring(Source::Metric);
        }
    }

    impl Recorder for Ringing {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            self.0.ring(Source::Metric);
            Counter::from_arc(Arc::new(Instrument(Arc::clone(&self.0))))
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            self.0.ring(Source::Metric);
            Gauge::from_arc(Arc::new(Instrument(Arc::clone(&self.0))))
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            self.0.ring(Source::Metric);
            Histogram::from_arc(Arc::new(Instrument(Arc::clone(&self.0))))
        }
    }
}
