//! Code that the session calls, and that calls back into the session: subscribers, recorders, clocks, entropy sources,
//! storages, closures and destructors. A callback may read, change or end the session, wait for another thread that
//! does, or panic. Nothing hangs, because no lock is held while such code runs.
//!
//! Each case runs on a thread of its own, so that a case that hangs is detected and named.

mod callback;
mod fixture;
#[cfg(any(feature = "tracing", feature = "metrics"))]
mod observers;
mod scenarios;
mod storage;

use self::callback::{Action, Source};
use self::fixture::run_case;
use self::scenarios::SCENARIOS;

/// Runs all scenarios with callbacks from this source, once for each action.
fn callbacks_from(source: Source, actions: &[Action]) {
    for action in actions {
        let counts = SCENARIOS
            .iter()
            .map(|(name, setup, scenario)| run_case(name, source, *action, *setup, *scenario));
        assert_ne!(counts.sum::<usize>(), 0, "{source:?} never triggers the callback");
    }
}

const ALL: &[Action] = &[
    Action::Read,
    Action::Change,
    Action::End,
    Action::OtherThread,
    Action::Panic,
];

/// The actions of callbacks in destructors, which do not panic.
const ALLOWED_IN_DROP: &[Action] = &[Action::Read, Action::Change, Action::End, Action::OtherThread];

#[test]
fn the_scenarios_succeed_without_callbacks() {
    for (name, setup, scenario) in SCENARIOS {
        run_case(name, Source::Nothing, Action::Read, *setup, *scenario);
    }
}

#[cfg(feature = "tracing")]
#[test]
fn events() {
    callbacks_from(Source::Event, ALL);
}

/// A new event needs a scenario that emits it.
#[cfg(feature = "tracing")]
#[test]
fn every_event_has_a_scenario() {
    the_scenarios_succeed_without_callbacks();
    let source = include_str!("../../src/telemetry.rs");
    let (_, calls) = source.split_once("macro_rules! event").expect("the macro is defined");
    let events: Vec<&str> = calls
        .split("event!(")
        .skip(1)
        .filter_map(|call| call.split(");").next()?.rsplit('"').nth(1))
        .collect();
    assert!(!events.is_empty());
    let messages = observers::subscriber::MESSAGES
        .lock()
        .expect("the mutex is never poisoned")
        .clone();
    for event in events {
        assert!(
            messages.iter().any(|message| message == event),
            "no scenario emits {event:?}"
        );
    }
}

#[cfg(feature = "tracing")]
#[test]
fn spans() {
    callbacks_from(Source::Span, ALLOWED_IN_DROP);
}

#[cfg(feature = "metrics")]
#[test]
fn metrics() {
    callbacks_from(Source::Metric, ALLOWED_IN_DROP);
}

#[test]
fn clocks() {
    callbacks_from(Source::Clock, ALL);
}

#[test]
fn entropy_sources() {
    callbacks_from(Source::Entropy, ALL);
}

#[test]
fn names_of_storages() {
    callbacks_from(Source::Name, ALL);
}

#[test]
fn operations_of_storages_before_they_run() {
    callbacks_from(Source::BeforeOperation, ALL);
}

#[test]
fn operations_of_storages_before_they_return() {
    callbacks_from(Source::AfterOperation, ALL);
}

#[test]
fn operations_of_storages_that_are_dropped() {
    callbacks_from(Source::OperationDropped, ALLOWED_IN_DROP);
}

#[test]
fn locks_that_are_dropped() {
    callbacks_from(Source::Unlock, ALLOWED_IN_DROP);
}

#[test]
fn values_that_are_serialized() {
    callbacks_from(Source::Serialize, ALL);
}

#[test]
fn values_that_are_deserialized() {
    callbacks_from(Source::Deserialize, ALL);
}

#[test]
fn values_that_are_dropped() {
    callbacks_from(Source::ValueDropped, ALLOWED_IN_DROP);
}

#[test]
fn closures() {
    callbacks_from(Source::Closure, ALL);
}

#[test]
fn work_that_is_dropped() {
    callbacks_from(Source::WorkDropped, ALLOWED_IN_DROP);
}

#[test]
fn debug_output() {
    callbacks_from(Source::Writer, ALL);
}
