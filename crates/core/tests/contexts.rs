//! Contexts: which visit's session a call uses, and what remains when a context ends.

mod common;

use std::panic::AssertUnwindSafe;

use common::*;
use serde_json::json;
use sessile_core::{
    AutoStart, Expiration, IdChange, InSession, Key, Namespace, Session, SessionError, StorageErrorKind, Untyped,
    Values, Visit,
};
use sessile_testkit::{Fault, Operation};

const fn is_portable<T: Clone + Send + Sync + 'static>() {}
const _: () = {
    // The declared types implement none of these traits.
    struct Bare(#[allow(dead_code)] *const ());
    impl Values for Bare {}
    impl sessile_core::Namespaces for Bare {}
    is_portable::<Session<Bare, Bare>>();
    is_portable::<Namespace<Bare>>();
};

#[tokio::test(start_paused = true)]
async fn outside_of_a_context_queries_are_negative_and_calls_fail() {
    let fixture = fixture();
    let session = &fixture.session;
    assert!(!session.is_initialised() && !session.exists() && !session.is_active());
    assert!(!session.is_readable() && !session.is_writable());
    assert_eq!((session.id(), session.key()), (None, None));
    assert_eq!(
        (session.expiration(), session.created_at(), session.last_active_at()),
        (None, None, None)
    );
    assert!(Session::<Untyped, Untyped>::current().is_none());

    assert_fails!(session.start().await, SessionError::NotInitialised);
    assert_fails!(session.start_readonly().await, SessionError::NotInitialised);
    let transaction = session.transaction_exclusive(async || Ok::<_, SessionError>(()));
    assert_fails!(transaction.await, SessionError::NotInitialised);
    assert_fails!(session.release().await, SessionError::NotInitialised);
    assert_fails!(session.close().await, SessionError::NotInitialised);
    assert_fails!(session.destroy().await, SessionError::NotInitialised);
    assert_fails!(session.regenerate_id(), SessionError::NotInitialised);
    assert_fails!(session.handle(), SessionError::NotInitialised);
    assert_fails!(session.get("x"), SessionError::NotInitialised);
    assert_fails!(session.set("x", json!(1)), SessionError::NotInitialised);
    let namespace = session.namespace("n");
    assert_fails!(namespace.get("x"), SessionError::NotInitialised);
    assert_fails!(namespace.destroy(), SessionError::NotInitialised);
    fixture.calls.assert_none();
}

#[tokio::test(start_paused = true)]
async fn a_new_context_is_initialised_and_nothing_more() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    for visit in [Visit::new(), Visit::from(id.clone())] {
        let has_id = visit_has_id(&visit);
        let look = async {
            assert!(session.is_initialised());
            assert_eq!(session.exists(), has_id);
            assert_eq!(session.id().is_some(), has_id);
            assert_eq!(session.key().is_some(), has_id);
            assert!(!session.is_active() && !session.is_readable() && !session.is_writable());
            assert_fails!(session.get("user"), SessionError::NotStarted);
            assert_fails!(session.set("user", json!(1)), SessionError::NotStarted);
            assert_fails!(session.unset("user"), SessionError::NotStarted);
            assert_fails!(session.contains("user"), SessionError::NotStarted);
            assert_fails!(session.keys(), SessionError::NotStarted);
            assert_fails!(session.set_expiration(Expiration::Never), SessionError::NotStarted);
            assert_fails!(session.update("user", |_| ()), SessionError::NotStarted);
            assert_fails!(session.regenerate_id(), SessionError::NotStarted);
            session.close().await?;
            session.release().await
        };
        fixture.visit(visit, look).await?;
    }
    fixture.calls.assert_none();
    Ok(())
}

fn visit_has_id(visit: &Visit) -> bool {
    format!("{visit:?}").contains("SessionId")
}

#[tokio::test(start_paused = true)]
async fn init_returns_what_the_future_returns() {
    let fixture = fixture();
    let output = fixture.session.init(Visit::new(), async { "anything" }).await;
    assert_eq!(output.expect("it begins"), "anything");
}

#[tokio::test(start_paused = true)]
async fn a_context_is_not_opened_inside_one_of_its_own() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let clone = session.clone();
    let inside = async {
        for _ in 0..2 {
            let mut ran = false;
            let inner = clone.init(Visit::new(), async { ran = true });
            assert_fails!(inner.await, SessionError::AlreadyInitialised);
            assert!(!ran);
        }
        let inner = clone.enter(Visit::new(), async { Ok::<_, SessionError>(()) });
        assert_fails!(inner.await, SessionError::AlreadyInitialised);
        Ok(())
    };
    fixture.visit(Visit::new(), inside).await?;
    // Consecutive contexts are allowed.
    fixture.visit(Visit::new(), async { Ok(()) }).await
}

#[tokio::test(start_paused = true)]
async fn several_sessions_live_in_one_task_each_with_its_own_context() -> Result<(), SessionError> {
    let (one, two) = (fixture(), fixture());
    // A third session with the storage of the first is a session of its own.
    let three = one.other_session();
    let id = one.stored([("who", json!(1))]).await;
    let nested = one.session.enter(id.clone().into(), async {
        let inner = two.session.enter(Visit::new(), async {
            two.session.set("who", json!(2))?;
            three
                .init(id.clone().into(), async {
                    three.start_readonly().await?;
                    assert_eq!(one.session.get("who")?, Some(json!(1)));
                    assert_eq!(two.session.get("who")?, Some(json!(2)));
                    assert_eq!(three.get("who")?, Some(json!(1)));
                    one.session.set("who", json!("one"))?;
                    assert_eq!(three.get("who")?, Some(json!(1)));
                    Ok::<_, SessionError>(())
                })
                .await?
        });
        inner.await?;
        assert!(!two.session.is_initialised() && !three.is_initialised());
        Ok::<_, SessionError>(())
    });
    nested.await?;
    assert_eq!(one.shown(&id).await, Some(values([("who", json!("one"))])));
    assert_eq!(two.sessions().await, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn visits_that_run_side_by_side_in_one_task_are_kept_apart() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let visit = async |user: u64| {
        let work = async {
            for step in 0..10 {
                session.set("user", json!(user))?;
                pass(ms(user + step)).await;
                assert_eq!(session.get("user")?, Some(json!(user)));
            }
            session.close().await?;
            session.id().ok_or(SessionError::Gone)
        };
        let finished = session.enter(Visit::new(), work).await?;
        Ok::<_, SessionError>(finished.output)
    };
    let (one, two, three) = tokio::join!(visit(1), visit(2), visit(3));
    for (id, user) in [(one?, 1), (two?, 2), (three?, 3)] {
        assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(user))])));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn current_finds_the_session_by_its_declaration() -> Result<(), SessionError> {
    struct Account;
    impl Values for Account {}
    const USER: Key<Account, u64> = Key::declare("user");

    let untyped = fixture();
    let typed = typed_fixture::<Untyped, Account>(storage(), |builder| builder);
    let work = async {
        assert!(Session::<Untyped, Account>::current().is_none());
        let inner = typed.session.enter(Visit::new(), async {
            let found = Session::<Untyped, Account>::current().expect("we are inside");
            found.set(USER, 7)?;
            let outer = Session::<Untyped, Untyped>::current().expect("we are inside");
            assert_eq!(outer.get("user")?, Some(json!(1)));
            Ok::<_, SessionError>(())
        });
        inner.await?;
        assert!(Session::<Untyped, Account>::current().is_none());
        untyped.session.get("user")
    };
    untyped
        .session
        .enter(Visit::new(), async {
            untyped.session.set("user", json!(1))?;
            work.await
        })
        .await?;
    assert_eq!(typed.sessions().await, 1);
    Ok(())
}

/// The ways in which a visit can end without a close.
#[derive(Debug, Clone, Copy)]
enum End {
    Return,
    Panic,
    Cancel,
}

#[tokio::test(start_paused = true)]
async fn on_leaving_a_lock_is_released_and_nothing_is_written() -> Result<(), SessionError> {
    for end in [End::Return, End::Panic, End::Cancel] {
        let fixture = fixture();
        let session = fixture.session.clone();
        let id = fixture.stored([("user", json!(7))]).await;
        let work = async move {
            session.start().await?;
            session.set("user", json!(8))?;
            session.namespace("n").set("x", json!(1))?;
            session.regenerate_id()?;
            match end {
                End::Return => Ok::<_, SessionError>(()),
                End::Panic => panic!("on purpose"),
                End::Cancel => std::future::pending().await,
            }
        };
        let (session, visit) = (fixture.session.clone(), Visit::from(id.clone()));
        let task = tokio::spawn(async move { session.init(visit, work).await });
        pass(secs(1)).await;
        task.abort();
        match (end, task.await) {
            (End::Return, Ok(left)) => left??,
            (End::Panic, Err(error)) => assert!(error.is_panic()),
            (End::Cancel, Err(error)) => assert!(error.is_cancelled()),
            (end, other) => panic!("{end:?} ends as {other:?}"),
        }
        assert!(fixture.is_free(&id).await, "{end:?}");
        assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])), "{end:?}");
        assert_eq!(fixture.sessions().await, 1);
        assert_eq!(
            fixture.calls.of(Operation::Commit) + fixture.calls.of(Operation::Rotate),
            0
        );
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_is_caught_outside_leaves_no_context_behind() {
    let fixture = fixture();
    let session = &fixture.session;
    let mut visit = Box::pin(session.init(Visit::new(), async { panic!("on purpose") }));
    let polled = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let _: std::task::Poll<Result<(), _>> = visit.as_mut().poll(&mut cx);
    }));
    assert!(polled.is_err());
    assert!(!session.is_initialised());
}

#[tokio::test(start_paused = true)]
async fn enter_starts_and_closes_if_the_future_is_ok() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let entered = session.enter(id.clone().into(), async {
        assert!(session.is_writable());
        session.set("user", json!(8))?;
        Ok::<_, SessionError>("done")
    });
    assert_eq!(entered.await?.output, "done");
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    assert!(fixture.is_free(&id).await);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn enter_returns_what_the_client_has_to_be_told() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;

    let nothing = session.enter(Visit::new(), async { Ok(()) }).await?;
    assert_eq!((nothing.outcome.new_id(), nothing.outcome.id), (None, IdChange::Keep));

    let first = session
        .enter(Visit::new(), async { session.set("user", json!(7)) })
        .await?;
    let id = first.outcome.new_id().expect("the session has begun");
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));

    let second = session
        .enter(id.clone().into(), async { session.set("user", json!(8)) })
        .await?;
    assert_eq!(second.outcome.id, IdChange::Keep);
    assert!(second.outcome.written);

    let moved = session.enter(id.into(), async { session.regenerate_id() }).await?;
    let id = moved.outcome.new_id().expect("the session has moved");

    let ended = session.enter(id.into(), session.destroy()).await?;
    assert_eq!((ended.outcome.new_id(), ended.outcome.id), (None, IdChange::Remove));
    Ok(())
}

/// The session is locked by the first call of the storage, although it would be read otherwise.
#[tokio::test(start_paused = true)]
async fn enter_starts_once_where_sessions_start_by_themselves() -> Result<(), SessionError> {
    let fixture = fixture_with(|builder| builder.auto_start(AutoStart::ReadOnly));
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    fixture.calls.reset();
    session
        .enter(id.into(), async { session.set("user", json!(8)) })
        .await?;
    assert_eq!(fixture.calls.of(Operation::Read), 0);
    assert_eq!(fixture.calls.of(Operation::Lock), 1);
    Ok(())
}

#[derive(Debug)]
enum Failure {
    Session(SessionError),
    Own,
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

#[tokio::test(start_paused = true)]
async fn enter_releases_without_writing_if_the_future_is_err() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let entered = session.try_enter(id.clone().into(), async {
        session.set("user", json!(8))?;
        Err::<(), _>(Failure::Own)
    });
    assert_fails!(entered.await, Failure::Own);
    // It has waited for the release, which would otherwise be made in the background.
    assert_eq!(fixture.calls.of(Operation::Release), 1);
    assert!(fixture.is_free(&id).await);
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn enter_fails_if_starting_or_closing_fails() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let strict = session.try_enter(Visit::attach(unknown_id()), async { Ok::<_, Failure>(()) });
    assert_fails!(strict.await, Failure::Session(SessionError::Unknown));

    fixture
        .faults
        .fail_next(Operation::Commit, Fault::before(StorageErrorKind::Unavailable));
    let closing = session.try_enter(id.clone().into(), async {
        session.set("user", json!(8))?;
        Ok::<_, Failure>(())
    });
    assert_fails!(closing.await, Failure::Session(SessionError::Storage(_)));
    assert!(fixture.is_free(&id).await);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_starts_automatically_only_if_configured() -> Result<(), SessionError> {
    for (auto_start, readable, writable) in [
        (AutoStart::No, false, false),
        (AutoStart::ReadOnly, true, false),
        (AutoStart::Exclusive, true, true),
    ] {
        let fixture = fixture_with(|builder| builder.auto_start(auto_start));
        let session = &fixture.session;
        let id = fixture.stored([("user", json!(7))]).await;
        let look = async {
            assert_eq!((session.is_readable(), session.is_writable()), (readable, writable));
            assert_eq!(fixture.is_free(&id).await, !writable);
            Ok(())
        };
        fixture.visit(id.clone(), look).await?;
        assert!(fixture.is_free(&id).await);
        assert_eq!(session.open(Visit::new()).starts_by_itself(), readable);

        let strict = session.init(Visit::attach(unknown_id()), async { "ran" });
        match readable {
            false => assert_eq!(strict.await?, "ran"),
            true => assert_fails!(strict.await, SessionError::Unknown),
        }
        // A session that was started automatically is unchanged unless it is closed.
        let visit = session.open(id.clone().into());
        visit.auto_start().in_session(visit.handle()).await?;
        assert_eq!(visit.handle().enter(|| session.is_writable()), writable);
    }
    Ok(())
}
