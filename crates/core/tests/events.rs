//! What is told to whoever listens: each thing once, sessions by fingerprint, and never an id.

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

/// It is a number in what is stored.
const USER: Key<Untyped, String> = Key::new("user");

/// Keeps the text of all events.
struct Listener;

fn heard() -> &'static Mutex<Vec<String>> {
    static HEARD: OnceLock<Mutex<Vec<String>>> = OnceLock::new();
    HEARD.get_or_init(Mutex::default)
}

struct Line(String);

impl Fields for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").expect("a string takes anything");
    }
}

impl Subscriber for Listener {
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
        heard().lock().expect("nobody panics with it").push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What was said since the last time.
fn take() -> Vec<String> {
    std::mem::take(&mut heard().lock().expect("nobody panics with it"))
}

#[track_caller]
fn assert_said(level: &str, message: &str, about: &SessionId) {
    let lines = take();
    let fingerprint = about.key().fingerprint().to_string();
    let [line] = &lines[..] else {
        panic!("expected {message:?}, heard {lines:?}")
    };
    assert!(
        line.starts_with(level) && line.contains(message),
        "expected {message:?}, heard {line:?}"
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
async fn what_becomes_of_sessions_is_told() -> Result<(), SessionError> {
    tracing::dispatcher::set_global_default(tracing::Dispatch::new(Listener)).expect("it is the first");
    let world = world();
    let session = &world.session;

    let work = async {
        session.set("user", json!(7))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), work).await?;
    assert_said("DEBUG", "session created", &id);

    // Reading and writing are not worth a line.
    session
        .enter(id.clone().into(), async { session.set("user", json!(8)) })
        .await?;
    assert_eq!(take(), Vec::<String>::new());

    let work = async {
        session.regenerate_id()?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let new = session.enter(id.clone().into(), work).await?;
    assert_said("DEBUG", "session got a new id", &new);

    world
        .visit(id.clone(), async { session.start_readonly().await })
        .await?;
    assert_said("DEBUG", "session has moved to another id", &id);

    // Values that are not what their keys say, with what was done about them.
    let look = async {
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
            assert_said(level, outcome, &new);
        }
        Ok(())
    };
    world.visit(new.clone(), look).await?;

    let visit = session.open(new.clone().into());
    let work = async {
        session.start().await?;
        session.set("user", json!(9))
    };
    work.in_session(visit.handle()).await?;
    world.visit(new.clone(), async { session.destroy().await }).await?;
    assert_said("DEBUG", "session destroyed", &new);
    assert_fails!(visit.close().await, SessionError::Gone);
    assert_said("WARN", "commit refused", &new);

    world.visit(new.clone(), async { session.start().await }).await?;
    assert_said("DEBUG", "no such session", &new);

    let damaged = unknown_id();
    let record = Record::new(Meta::new(world.now()), "nonsense");
    world.storage.create(&damaged.key(), record).await?;
    let start = world.visit(damaged.clone(), async { session.start().await });
    assert_fails!(start.await, SessionError::Unreadable(_));
    assert_said("ERROR", "record cannot be read", &damaged);
    Ok(())
}
