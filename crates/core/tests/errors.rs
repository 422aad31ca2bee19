//! Kinds of errors, their retryability, and their texts.

mod common;

use std::error::Error;

use common::*;
use serde_json::json;
use sessile_core::{Key, RecordError, Session, SessionError, StorageError, StorageErrorKind, Untyped, Visit};
use sessile_memory::MemoryStorage;
use sessile_testkit::{Fault, Operation};

use StorageErrorKind::{
    Corrupt, Denied, Exists, Full, Gone, LockLost, LockTimeout, Other, Superseded, Timeout, TooManyWaiters,
    Unavailable, Unsupported,
};

const KINDS: [StorageErrorKind; 13] = [
    Exists,
    Gone,
    Superseded,
    LockLost,
    LockTimeout,
    TooManyWaiters,
    Full,
    Corrupt,
    Unsupported,
    Denied,
    Unavailable,
    Timeout,
    Other,
];

/// Returns whether a session maps `kind` to this error.
fn is_expected(error: &SessionError, kind: StorageErrorKind) -> bool {
    match kind {
        Gone => matches!(error, SessionError::Gone),
        Superseded => matches!(error, SessionError::Superseded),
        LockLost => matches!(error, SessionError::LockLost),
        LockTimeout => matches!(error, SessionError::LockTimeout),
        TooManyWaiters => matches!(error, SessionError::TooManyWaiters),
        _ => matches!(error, SessionError::Storage(inner) if inner.kind() == kind),
    }
}

fn is_retryable(kind: StorageErrorKind) -> bool {
    matches!(kind, LockLost | LockTimeout | TooManyWaiters | Unavailable | Timeout)
}

#[test]
fn each_kind_of_storage_error_has_its_session_error() {
    for kind in KINDS {
        let cause = std::io::Error::other("the cause");
        let storage = StorageError::new(kind, "commit", "somewhere").with_source(cause);
        assert_eq!(
            (storage.kind(), storage.operation(), storage.storage()),
            (kind, "commit", "somewhere")
        );
        assert_eq!(storage.source().expect("it is kept").to_string(), "the cause");
        let error = SessionError::from(storage);
        assert!(is_expected(&error, kind), "{kind:?} became {error:?}");
        assert_eq!(error.is_retryable(), is_retryable(kind), "{kind:?}");
        if let SessionError::Storage(inner) = &error {
            assert_eq!(inner.is_retryable(), is_retryable(kind), "{kind:?}");
            let chain = error.source().and_then(Error::source).expect("it is kept");
            assert_eq!(chain.to_string(), "the cause");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_storage_error_is_returned_by_the_calls() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for kind in KINDS {
        for operation in [
            Operation::Read,
            Operation::Lock,
            Operation::Commit,
            Operation::Release,
            Operation::Rotate,
            Operation::Create,
            Operation::Destroy,
        ] {
            let visit = match operation {
                Operation::Create => Visit::new(),
                _ => fixture.stored([("user", json!(7))]).await.into(),
            };
            fixture.faults.fail_next(operation, Fault::before(kind));
            let work = async {
                match operation {
                    Operation::Read => return session.start_readonly().await,
                    Operation::Destroy => return session.destroy().await,
                    _ => session.start().await?,
                }
                match operation {
                    Operation::Rotate => session.regenerate_id()?,
                    Operation::Release => {}
                    _ => session.set("user", json!(8))?,
                }
                match operation {
                    // A close does not fail if only the release fails, so call `release` directly.
                    Operation::Release => session.release().await,
                    _ => session.close().await,
                }
            };
            let error = fixture.visit(visit, work).await.expect_err("the storage fails");
            assert!(is_expected(&error, kind), "{operation}: {kind:?} became {error:?}");
            assert_eq!(fixture.faults.pending(), 0);
        }
    }
    Ok(())
}

/// Returns the error of a value that is not of the type of its key.
async fn codec() -> SessionError {
    let fixture = fixture();
    let work = async {
        fixture.session.set("user", "ada")?;
        fixture.session.get(Key::<Untyped, u8>::new("user"))
    };
    let read = fixture.session.enter(Visit::new(), work).await;
    read.expect_err("it is no number")
}

async fn all() -> Vec<SessionError> {
    vec![
        SessionError::NotInitialised,
        SessionError::AlreadyInitialised,
        SessionError::NotStarted,
        SessionError::NotWritable,
        SessionError::Unknown,
        SessionError::Gone,
        SessionError::Superseded,
        SessionError::LockLost,
        SessionError::LockTimeout,
        SessionError::TooManyWaiters,
        SessionError::WouldDeadlock,
        SessionError::TaskPanicked,
        SessionError::Sealed,
        codec().await,
        SessionError::TooLarge { size: 2, limit: 1 },
        SessionError::Storage(StorageError::new(Full, "create", "somewhere")),
    ]
}

#[tokio::test(start_paused = true)]
async fn each_error_has_its_own_text() {
    let mut texts: Vec<_> = all().await.iter().map(ToString::to_string).collect();
    texts.extend(KINDS.map(|kind| StorageError::new(kind, "commit", "somewhere").to_string()));
    for text in &texts {
        assert!(
            text.len() > 10 && !text.ends_with('.') && !text.contains('\n'),
            "{text:?}"
        );
    }
    let count = texts.len();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), count);
}

#[tokio::test(start_paused = true)]
async fn only_temporary_errors_are_retryable() {
    let retryable: Vec<_> = all().await.into_iter().filter(SessionError::is_retryable).collect();
    assert!(
        matches!(
            retryable[..],
            [
                SessionError::LockLost,
                SessionError::LockTimeout,
                SessionError::TooManyWaiters,
                SessionError::WouldDeadlock
            ]
        ),
        "{retryable:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_record_keeps_its_reason() -> Result<(), SessionError> {
    use sessile_core::{Meta, Record, Storage};
    let fixture = fixture();
    let id = unknown_id();
    let record = Record::new(Meta::new(fixture.now()), "nonsense");
    fixture.storage.create(&id.key(), record).await?;
    let error = fixture
        .visit(id, async { fixture.session.start().await })
        .await
        .expect_err("the record is malformed");
    assert!(!error.is_retryable());
    assert!(error.source().is_some_and(|source| source.is::<RecordError>()));
    assert!(error.to_string().contains("cannot be read"));
    Ok(())
}

#[test]
fn errors_can_be_sent_and_kept() {
    fn is_portable<T: Send + Sync + 'static>() {}
    is_portable::<SessionError>();
    is_portable::<StorageError>();
    assert!(size_of::<SessionError>() <= 40, "{} bytes", size_of::<SessionError>());
}

/// A report names the failure and its remedy, and shows no value.
#[tokio::test]
async fn a_report_names_failure_cause_and_remedy() {
    let source = std::io::Error::other("connection refused");
    let down = StorageError::new(StorageErrorKind::Unavailable, "lock", "redis").with_source(source);
    let session: Session = Session::builder(MemoryStorage::new()).build();
    let codec = session.enter(Visit::new(), async {
        session.set("age", "a secret")?;
        session.get(Key::<Untyped, u64>::new("age"))
    });
    let codec = codec.await.unwrap_err();
    for (error, parts) in [
        (
            SessionError::NotInitialised,
            &["outside of a context", "`session.bind()?`"][..],
        ),
        (
            SessionError::NotStarted,
            &["not started", "call `session.start().await?` first"],
        ),
        (
            SessionError::NotWritable,
            &["not locked for writing", "`session.transaction(..)`"],
        ),
        (SessionError::Undone, &["were undone", "`close` that failed before"]),
        (
            down.into(),
            &["redis", "lock", "cannot be reached: connection refused", "is up"],
        ),
        (codec, &["`age`", "declare the value"]),
        (SessionError::Gone, &["the session is gone"]),
    ] {
        let line = error.report().to_string();
        for part in parts {
            assert!(line.contains(part), "{line}");
        }
        assert!(!line.contains("secret") && !line.contains('\n'), "{line}");
    }
}
