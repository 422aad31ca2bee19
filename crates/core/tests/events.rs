//! Tracing events: each is emitted once, and names sessions by fingerprint, never by id.

#![cfg(feature = "tracing")]

mod common;

use std::fmt::{Debug, Write};
use std::sync::{Mutex, OnceLock};

use common::*;
use serde_json::json;
use sessile_core::{InSession, Key, Meta, OnMismatch, Record, SessionError, SessionId, Storage, Untyped, Visit};
use tracing::field::{Field, Visit as Fields};
use tracing::span::{Attributes, Id};
use tracing::{Event, Metadata, Subscriber};

/// The stored value is a number.
const USER: Key<Untyped, String> = Key::new("user");

/// A subscriber that keeps the text of all events.
struct Collector;

fn lines() -> &'static Mutex<Vec<String>> {
    static LINES: OnceLock<Mutex<Vec<String>>> = OnceLock::new();
    LINES.get_or_init(Mutex::default)
}

struct Line(String);

impl Fields for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").expect("writing to a string cannot fail");
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sessile"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        lines().lock().expect("the mutex is never poisoned").push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Removes and returns the events since the last call.
fn take() -> Vec<String> {
    std::mem::take(&mut lines().lock().expect("the mutex is never poisoned"))
}

#[track_caller]
fn assert_event(level: &str, message: &str, about: &SessionId) {
    let lines = take();
    let fingerprint = about.key().fingerprint().to_string();
    let [line] = &lines[..] else {
        panic!("expected {message:?}, got {lines:?}")
    };
    assert!(
        line.starts_with(level) && line.contains(message),
        "expected {message:?}, got {line:?}"
    );
    assert!(line.contains(&fingerprint), "{line:?} is not about {fingerprint}");
    for part in about.expose().as_bytes().windows(6) {
        assert!(
            !line.contains(std::str::from_utf8(part).expect("ids are ASCII")),
            "{line:?} shows an id"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn each_change_of_a_session_is_logged_once() -> Result<(), SessionError> {
    tracing::dispatcher::set_global_default(tracing::Dispatch::new(Collector)).expect("no other subscriber is set");
    let fixture = fixture();
    let session = &fixture.session;

    let work = async {
        session.set("user", json!(7))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), work).await?.output;
    assert_event("DEBUG", "session created", &id);

    // Reads and writes emit no event.
    session
        .enter(id.clone().into(), async { session.set("user", json!(8)) })
        .await?;
    assert_eq!(take(), Vec::<String>::new());

    let work = async {
        session.regenerate_id()?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let new = session.enter(id.clone().into(), work).await?.output;
    assert_event("DEBUG", "session got a new id", &new);

    fixture
        .visit(id.clone(), async { session.start_readonly().await })
        .await?;
    assert_event("DEBUG", "session has moved to another id", &id);

    // Values that are not of the type of their key, with the outcome of the read.
    let read = async {
        session.start_readonly().await?;
        let policies = [
            (USER, "WARN", "outcome=\"fail\""),
            (USER.on_mismatch(OnMismatch::Unset), "WARN", "outcome=\"unset\""),
            (
                USER.on_mismatch(OnMismatch::Default(String::new)),
                "WARN",
                "outcome=\"default\"",
            ),
            (
                USER.migrate(|old| Some(old.to_string())),
                "DEBUG",
                "outcome=\"migrate\"",
            ),
        ];
        for (key, level, outcome) in policies {
            let _ = session.get(key);
            assert_event(level, outcome, &new);
        }
        Ok(())
    };
    fixture.visit(new.clone(), read).await?;

    let visit = session.open(new.clone().into());
    let work = async {
        session.start().await?;
        session.set("user", json!(9))
    };
    work.in_session(visit.handle()).await?;
    fixture.visit(new.clone(), async { session.destroy().await }).await?;
    assert_event("DEBUG", "session ended", &new);
    assert_fails!(visit.close().await, SessionError::Gone);
    assert_event("WARN", "commit refused", &new);

    fixture.visit(new.clone(), async { session.start().await }).await?;
    assert_event("DEBUG", "no such session", &new);

    let unreadable = unknown_id();
    let record = Record::new(Meta::new(fixture.now()), "nonsense");
    fixture.storage.create(&unreadable.key(), record).await?;
    let start = fixture.visit(unreadable.clone(), async { session.start().await });
    assert_fails!(start.await, SessionError::Unreadable(_));
    assert_event("ERROR", "record cannot be read", &unreadable);
    Ok(())
}
