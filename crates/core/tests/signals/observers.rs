//! A subscriber and a recorder that trigger the callback.

use std::sync::Arc;

use crate::callback::Callback;

/// Runs a function with this subscriber and this recorder.
pub(crate) fn with_observers<R>(callback: &Arc<Callback>, f: impl FnOnce() -> R) -> R {
    #[cfg(feature = "metrics")]
    let f = || metrics::with_local_recorder(&self::recorder::CallbackRecorder(Arc::clone(callback)), f);
    #[cfg(feature = "tracing")]
    let f = || tracing::subscriber::with_default(self::subscriber::CallbackSubscriber(Arc::clone(callback)), f);
    f()
}

#[cfg(feature = "tracing")]
pub(crate) mod subscriber {
    use std::fmt::Debug;
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use crate::callback::{Callback, Source};

    /// The messages of all events so far.
    pub(crate) static MESSAGES: Mutex<Vec<String>> = Mutex::new(Vec::new());

    pub(super) struct CallbackSubscriber(pub(super) Arc<Callback>);

    struct Message(String);

    impl Visit for Message {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            if field.name() == "message" {
                self.0 = format!("{value:?}");
            }
        }
    }

    impl Subscriber for CallbackSubscriber {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target().starts_with("sessile")
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            self.0.trigger(Source::Span);
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {
            self.0.trigger(Source::Span);
        }

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut message = Message(String::new());
            event.record(&mut message);
            MESSAGES.lock().expect("the mutex is never poisoned").push(message.0);
            self.0.trigger(Source::Event);
        }

        fn enter(&self, _: &Id) {
            self.0.trigger(Source::Span);
        }

        fn exit(&self, _: &Id) {
            self.0.trigger(Source::Span);
        }

        fn try_close(&self, _: Id) -> bool {
            self.0.trigger(Source::Span);
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

    use crate::callback::{Callback, Source};

    pub(super) struct CallbackRecorder(pub(super) Arc<Callback>);

    struct Instrument(Arc<Callback>);

    impl CounterFn for Instrument {
        fn increment(&self, _: u64) {
            self.0.trigger(Source::Metric);
        }

        fn absolute(&self, _: u64) {
            self.0.trigger(Source::Metric);
        }
    }

    impl GaugeFn for Instrument {
        fn increment(&self, _: f64) {
            self.0.trigger(Source::Metric);
        }

        fn decrement(&self, _: f64) {
            self.0.trigger(Source::Metric);
        }

        fn set(&self, _: f64) {
            self.0.trigger(Source::Metric);
        }
    }

    impl HistogramFn for Instrument {
        fn record(&self, _: f64) {
            self.0.trigger(Source::Metric);
        }
    }

    impl Recorder for CallbackRecorder {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            self.0.trigger(Source::Metric);
            Counter::from_arc(Arc::new(Instrument(Arc::clone(&self.0))))
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            self.0.trigger(Source::Metric);
            Gauge::from_arc(Arc::new(Instrument(Arc::clone(&self.0))))
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            self.0.trigger(Source::Metric);
            Histogram::from_arc(Arc::new(Instrument(Arc::clone(&self.0))))
        }
    }
}
