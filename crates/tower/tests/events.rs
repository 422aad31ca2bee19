//! What an operator reads when the session of a request failed.

// In a helper, too, an unwrap is an assertion.
#![allow(clippy::unwrap_used)]

mod common;

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use sessile_core::StorageErrorKind;
use sessile_testkit::{Fault, Verb};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use self::common::{ask, request_of, world};

/// Keeps every event as a line.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut log = self.0.lock().unwrap();
        write!(log, "{} {}: ", event.metadata().level(), event.metadata().target()).unwrap();
        event.record(&mut Line(&mut log));
        log.push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_replaced_answer_leaves_a_line_with_the_error_and_no_id() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let world = world();
    let id = world.stored(1).await;
    world
        .faults
        .fail_next(Verb::Commit, Fault::before(StorageErrorKind::Denied));
    ask(&world.app(), request_of(&id, "/count")).await;
    ask(&world.app(), request_of(&id, "/count")).await;

    let log = log.0.lock().unwrap().clone();
    let refused: Vec<_> = log.lines().filter(|line| line.contains("request refused")).collect();
    assert_eq!(refused.len(), 1, "{log}");
    assert!(refused[0].starts_with("WARN sessile: "), "{log}");
    assert!(refused[0].contains("commit: the storage refuses access"), "{log}");
    assert!(!log.contains(&id.expose()[..8]), "{log}");
}
