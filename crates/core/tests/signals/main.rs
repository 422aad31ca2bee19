//! Code of the application that the session calls, and that calls the session: subscribers and recorders, clocks, sources
//! of random bits, storages, closures, destructors. From wherever it is called it may look at the session, change it, end
//! it, wait for another thread that does, or panic. Nothing hangs, as nothing is locked while such code runs.
//!
//! Each case runs on a thread of its own, so that one that hangs is found and named.

mod bell;
mod bench;
#[cfg(any(feature = "tracing", feature = "metrics"))]
mod listeners;
mod scenes;
mod storage;

use self::bell::{Manner, Source};
use self::bench::play_with;
use self::scenes::SCENES;

/// Plays all scenes while this signals, in each of these manners.
fn signals_from(source: Source, manners: &[Manner]) {
    for manner in manners {
        let rung = SCENES
            .iter()
            .map(|(name, setup, scene)| play_with(name, source, *manner, *setup, *scene));
        assert_ne!(rung.sum::<usize>(), 0, "{source:?} never signals");
    }
}

const ALL: &[Manner] = &[
    Manner::Looks,
    Manner::Acts,
    Manner::Ends,
    Manner::Elsewhere,
    Manner::Panics,
];

/// What destructors do: they do not panic.
const IN_DESTRUCTORS: &[Manner] = &[Manner::Looks, Manner::Acts, Manner::Ends, Manner::Elsewhere];

#[test]
fn the_scenes_themselves_go_well() {
    for (name, setup, scene) in SCENES {
        play_with(name, Source::Nothing, Manner::Looks, *setup, *scene);
    }
}

#[cfg(feature = "tracing")]
#[test]
fn events() {
    signals_from(Source::Event, ALL);
}

/// Whoever adds an event adds a scene in which it is sent.
#[cfg(feature = "tracing")]
#[test]
fn there_is_a_scene_for_every_event() {
    the_scenes_themselves_go_well();
    let source = include_str!("../../src/events.rs");
    let (_, calls) = source.split_once("macro_rules! event").expect("it is defined first");
    let events: Vec<&str> = calls
        .split("event!(")
        .skip(1)
        .filter_map(|call| call.split(");").next()?.rsplit('"').nth(1))
        .collect();
    assert!(!events.is_empty());
    let heard = listeners::subscriber::HEARD
        .lock()
        .expect("nobody panics with it")
        .clone();
    for event in events {
        assert!(heard.iter().any(|heard| heard == event), "nobody hears {event:?}");
    }
}

#[cfg(feature = "tracing")]
#[test]
fn spans() {
    signals_from(Source::Span, IN_DESTRUCTORS);
}

#[cfg(feature = "metrics")]
#[test]
fn metrics() {
    signals_from(Source::Metric, IN_DESTRUCTORS);
}

#[test]
fn clocks() {
    signals_from(Source::Clock, ALL);
}

#[test]
fn sources_of_random_bits() {
    signals_from(Source::Entropy, ALL);
}

#[test]
fn names_of_storages() {
    signals_from(Source::Name, ALL);
}

#[test]
fn verbs_of_storages_before_they_act() {
    signals_from(Source::Asked, ALL);
}

#[test]
fn verbs_of_storages_before_they_answer() {
    signals_from(Source::Answering, ALL);
}

#[test]
fn verbs_of_storages_that_are_dropped() {
    signals_from(Source::VerbDropped, IN_DESTRUCTORS);
}

#[test]
fn locks_that_are_dropped() {
    signals_from(Source::Unlock, IN_DESTRUCTORS);
}

#[test]
fn values_that_become_json() {
    signals_from(Source::Serialize, ALL);
}

#[test]
fn values_that_come_from_json() {
    signals_from(Source::Deserialize, ALL);
}

#[test]
fn values_that_are_dropped() {
    signals_from(Source::ValueDropped, IN_DESTRUCTORS);
}

#[test]
fn closures() {
    signals_from(Source::Closure, ALL);
}

#[test]
fn work_that_is_dropped() {
    signals_from(Source::WorkDropped, IN_DESTRUCTORS);
}

#[test]
fn what_is_shown_for_debugging() {
    signals_from(Source::Writer, ALL);
}
