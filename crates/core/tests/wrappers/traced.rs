//! `Traced` creates a span for each call, without secrets.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile_core::{OsEntropy, SessionId, Storage, StorageErrorKind, Traced};
use sessile_testkit::{Fault, Faulty, ModelStorage, Operation};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

use crate::support::{locked, next, record};

type Fields = BTreeMap<&'static str, String>;

/// Keeps spans and their fields.
#[derive(Clone, Default)]
struct Spans {
    fields: Arc<Mutex<BTreeMap<u64, Fields>>>,
    last: Arc<AtomicU64>,
}

impl Spans {
    fn install(&self) -> DefaultGuard {
        tracing::subscriber::set_default(self.clone())
    }

    /// Takes the spans so far.
    fn take(&self) -> Vec<Fields> {
        std::mem::take(&mut *self.fields.lock().unwrap())
            .into_values()
            .collect()
    }
}

struct Write<'a>(&'a mut Fields);

impl Visit for Write<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target() == "sessile"
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        let mut fields = Fields::from([("name", attributes.metadata().name().to_owned())]);
        attributes.record(&mut Write(&mut fields));
        self.fields.lock().unwrap().insert(id, fields);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        if let Some(fields) = self.fields.lock().unwrap().get_mut(&span.into_u64()) {
            values.record(&mut Write(fields));
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn each_call_is_a_span_with_a_fingerprint_and_an_outcome() {
    let spans = Spans::default();
    let _guard = spans.install();
    let storage = Traced::new(ModelStorage::new());
    let id = SessionId::generate(&OsEntropy);
    let [key, new] = [id.key(), id.rotated(&OsEntropy).key()];
    let now = storage.clock().now();

    storage.create(&key, record("a secret")).await.unwrap();
    storage.create(&key, record("a secret")).await.unwrap_err();
    storage.read(&key).await.unwrap();
    let mut held = locked(&storage, &key).await;
    storage.lock(&key, Duration::ZERO).await.unwrap_err();
    storage.renew(&held.lock.id()).await.unwrap();
    storage.touch(&key, 1, None, now).await.unwrap();
    storage
        .commit(&mut held.lock, next(&held.record, "another"))
        .await
        .unwrap();
    let mut held = locked(&storage, &key).await;
    let record = next(&held.record, "a third");
    storage
        .rotate(&mut held.lock, &new, record, Duration::ZERO)
        .await
        .unwrap();
    storage.read(&key).await.unwrap();
    let held = locked(&storage, &new).await;
    storage.release(held.lock).await.unwrap();
    storage.destroy(&new).await.unwrap();
    storage.scan(None, 1).await.unwrap();
    storage.sweep(1).await.unwrap();

    let (old, moved) = (key.fingerprint().to_string(), new.fingerprint().to_string());
    let expected = [
        ("create", Some(&old), "ok"),
        ("create", Some(&old), "exists"),
        ("read", Some(&old), "found"),
        ("lock", Some(&old), "found"),
        ("lock", Some(&old), "lock_timeout"),
        ("renew", Some(&old), "ok"),
        ("touch", Some(&old), "ok"),
        ("commit", Some(&old), "ok"),
        ("lock", Some(&old), "found"),
        ("rotate", Some(&old), "ok"),
        ("read", Some(&old), "superseded"),
        ("lock", Some(&moved), "found"),
        ("release", Some(&moved), "ok"),
        ("destroy", Some(&moved), "found"),
        ("scan", None, "ok"),
        ("sweep", None, "ok"),
    ];
    let seen = spans.take();
    assert_eq!(seen.len(), expected.len());
    for (fields, (operation, session, outcome)) in seen.iter().zip(expected) {
        let field = |name| fields.get(name).map(String::as_str);
        assert_eq!(
            (field("operation"), field("session")),
            (Some(operation), session.map(String::as_str))
        );
        assert_eq!(field("outcome"), Some(outcome), "{operation}");
        assert_eq!(
            (field("name"), field("storage")),
            (Some("session storage"), Some("model"))
        );
        assert_eq!(field("error").is_some(), ["exists", "lock_timeout"].contains(&outcome));
    }
    let shown = format!("{seen:?}");
    assert!(!shown.contains(id.expose()) && !shown.contains("secret"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_was_cancelled() {
    let spans = Spans::default();
    let _guard = spans.install();
    let faulty = Faulty::new(ModelStorage::new());
    let faults = faulty.faults();
    let storage = Traced::new(faulty);
    let key = SessionId::generate(&OsEntropy).key();
    faults.fail_next(Operation::Read, Fault::hang_before());
    tokio::time::timeout(Duration::from_secs(1), storage.read(&key))
        .await
        .unwrap_err();
    faults.fail_next(Operation::Read, Fault::before(StorageErrorKind::Unavailable));
    storage.read(&key).await.unwrap_err();
    storage.read(&key).await.unwrap();
    let outcomes: Vec<_> = spans
        .take()
        .into_iter()
        .map(|mut fields| fields.remove("outcome"))
        .collect();
    assert_eq!(
        outcomes,
        ["cancelled", "unavailable", "missing"].map(|outcome| Some(outcome.to_owned()))
    );
}
