//! A task on one session.

use serde_json::json;
use sessile_core::{Expiration, Operation, Session, SessionError, Storage, Visit};

use super::{add, counted};
use crate::common::*;

#[tokio::test(start_paused = true)]
async fn it_runs_in_the_context_of_the_session_and_commits() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(1))]).await;
    let count = session
        .run_in(&id.key(), async || {
            assert!(session.is_initialised() && session.is_writable() && session.exists());
            assert_eq!((session.id(), session.key()), (None, Some(id.key())));
            assert!(Session::current().is_some_and(|current: Session| current.key() == Some(id.key())));
            assert!(!fixture.is_free(&id).await);
            add(session)
        })
        .await?;
    assert_eq!(count, 2);
    assert!(!session.is_initialised());
    assert_eq!(fixture.shown(&id).await, counted(2));
    assert!(fixture.is_free(&id).await);
    let calls = fixture.calls.counts();
    assert_eq!(
        (calls.of(Operation::Lock), calls.of(Operation::Commit), calls.total()),
        (1, 1, 2)
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_that_changes_nothing_writes_nothing() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(1))]).await;
    let read = session.run_in(&id.key(), async || session.get("count")).await?;
    assert_eq!(read, Some(json!(1)));
    let calls = fixture.calls.counts();
    assert_eq!(
        (calls.of(Operation::Lock), calls.of(Operation::Release), calls.total()),
        (1, 1, 2)
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_leaves_the_session_as_it_was() {
    #[derive(Debug)]
    enum Failure {
        Refused,
        Session(#[allow(dead_code)] SessionError),
    }
    impl From<SessionError> for Failure {
        fn from(error: SessionError) -> Self {
            Self::Session(error)
        }
    }

    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(1))]).await;
    let refused = session.try_run_in(&id.key(), async || {
        add(session)?;
        Err::<(), _>(Failure::Refused)
    });
    assert_fails!(refused.await, Failure::Refused);
    let gone = session.try_run_in(&unknown_id().key(), async || Ok::<_, Failure>(()));
    assert_fails!(gone.await, Failure::Session(SessionError::Gone));
    assert_eq!(fixture.shown(&id).await, counted(1));
    assert!(fixture.is_free(&id).await);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_leaves_the_session_as_it_was() {
    let fixture = fixture();
    let id = fixture.stored([("count", json!(1))]).await;
    for waits in [false, true] {
        let (session, key) = (fixture.session.clone(), id.key());
        let task = tokio::spawn(async move {
            let task = async || -> Result<(), SessionError> {
                add(&session)?;
                if waits {
                    pass(ms(1)).await;
                }
                panic!("on purpose")
            };
            session.run_in(&key, task).await
        });
        assert!(task.await.expect_err("the panic is the caller's").is_panic());
        assert_eq!(fixture.shown(&id).await, counted(1));
        assert!(fixture.is_free(&id).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_does_not_exist_is_gone_and_not_created() {
    let fixture = fixture();
    let session = &fixture.session;
    let destroyed = fixture.stored([("count", json!(1))]).await;
    fixture
        .storage
        .destroy(&destroyed.key())
        .await
        .expect("it is destroyed");
    let expired = fixture
        .stored_as(Expiration::After(secs(1)), [("count", json!(1))])
        .await;
    pass(secs(1)).await;
    for id in [unknown_id(), destroyed, expired] {
        let task = session.run_in(&id.key(), async || -> Result<(), SessionError> {
            panic!("it must not run")
        });
        assert_fails!(task.await, SessionError::Gone);
    }
    assert_eq!(fixture.sessions().await, 0);
}

/// A session that has moved is not followed, unless the old key is an alias.
#[tokio::test(start_paused = true)]
async fn a_session_that_has_moved_is_superseded() -> Result<(), SessionError> {
    for grace in [secs(0), secs(5)] {
        let fixture = fixture_with(|builder| builder.rotation_grace(grace));
        let session = &fixture.session;
        let old = fixture.stored([("count", json!(1))]).await;
        let moved = session
            .enter(old.clone().into(), async { session.regenerate_id() })
            .await?;
        let new = moved.outcome.new_id().expect("it has moved");
        if !grace.is_zero() {
            let task = session.run_in(&old.key(), async || {
                assert_eq!(session.key(), Some(new.key()));
                add(session)
            });
            assert_eq!(task.await?, 2);
            pass(grace).await;
        }
        assert_fails!(
            session.run_in(&old.key(), async || add(session)).await,
            SessionError::Superseded
        );
        session.run_in(&new.key(), async || add(session)).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_a_busy_session_up_to_the_lock_wait_limit() {
    let fixture = fixture_with(|builder| builder.lock_wait(secs(3)));
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let task = async || session.run_in(&id.key(), async || add(session)).await;
    for held in [secs(2), secs(4)] {
        let (result, waited) = {
            let begun = tokio::time::Instant::now();
            let hold = fixture.while_locked(&id, pass(held));
            let task = async {
                pass(ms(1)).await;
                task().await
            };
            let ((), result) = tokio::join!(hold, task);
            (result, begun.elapsed())
        };
        match held == secs(2) {
            true => assert_eq!(result.expect("it becomes free"), 1),
            false => assert_fails!(result, SessionError::LockTimeout),
        }
        assert!(waited >= held);
    }
    assert_eq!(fixture.shown(&id).await, counted(1));
}

/// There is no client to be told a new id.
#[tokio::test(start_paused = true)]
async fn a_task_can_destroy_its_session_and_give_it_no_new_id() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(1))]).await;
    let task = async || {
        assert_fails!(session.regenerate_id(), SessionError::Sealed);
        assert_fails!(session.mark_authenticated(), SessionError::Sealed);
        add(session)
    };
    session.run_in(&id.key(), task).await?;
    assert_eq!(fixture.shown(&id).await, counted(2));

    let begins_another = async || {
        session.destroy().await?;
        assert!(!session.exists() && session.key().is_none());
        session.start().await?;
        add(session)
    };
    assert_fails!(session.run_in(&id.key(), begins_another).await, SessionError::Sealed);
    assert_eq!(fixture.sessions().await, 0);

    let id = fixture.stored([("count", json!(1))]).await;
    session.run_in(&id.key(), async || session.destroy().await).await?;
    assert_eq!(fixture.sessions().await, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_may_close_its_session_and_go_on() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let task = async || {
        add(session)?;
        session.close().await?;
        assert!(fixture.is_free(&id).await);
        assert_fails!(add(session), SessionError::NotWritable);
        session.transaction(async || add(session)).await?;
        session.start().await?;
        add(session)
    };
    assert_eq!(session.run_in(&id.key(), task).await?, 3);
    assert_eq!(fixture.shown(&id).await, counted(3));
    assert!(fixture.is_free(&id).await);
    Ok(())
}

/// The session's value is the one of the task, and afterwards the one of the visit again.
#[tokio::test(start_paused = true)]
async fn it_runs_within_a_visit_to_another_session() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let own = fixture.stored([("count", json!(10))]).await;
    let other = fixture.stored([("count", json!(20))]).await;
    for starts in [false, true] {
        let visit = async {
            if starts {
                session.start().await?;
            }
            session.run_in(&other.key(), async || add(session)).await?;
            assert_eq!((session.key(), session.is_writable()), (Some(own.key()), starts));
            if starts {
                add(session)?;
                session.close().await?;
            }
            Ok(())
        };
        fixture.visit(own.clone(), visit).await?;
    }
    assert_eq!(fixture.shown(&own).await, counted(11));
    assert_eq!(fixture.shown(&other).await, counted(22));
    Ok(())
}

/// A failed commit is the error of the call, and nothing is written.
#[tokio::test(start_paused = true)]
async fn a_session_that_ends_meanwhile_is_gone() {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(1))]).await;
    let task = session.run_in(&id.key(), async || {
        fixture.storage.destroy(&id.key()).await?;
        add(session)
    });
    assert_fails!(task.await, SessionError::Gone);
    assert_eq!(fixture.sessions().await, 0);
}

#[tokio::test(start_paused = true)]
async fn ordinary_visits_exist_by_their_id() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    fixture
        .visit(Visit::new(), async {
            session.start().await.map(|()| assert!(!session.exists()))
        })
        .await?;
    let id = fixture.stored([]).await;
    let visit = async {
        assert!(session.exists());
        session.destroy().await?;
        assert!(!session.exists());
        Ok(())
    };
    fixture.visit(id, visit).await
}

/// Futures can be sent if the task's future can, and may borrow.
#[tokio::test]
async fn futures_can_be_sent_and_may_borrow() {
    fn sent<T: Send>(value: T) -> T {
        value
    }
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let name = String::from("count");
    let task = || async { session.get(&name).map(drop) };
    sent(session.run_in(&id.key(), task)).await.expect("it exists");
    sent(sent(session.run_in_each([id.key()], task)).collect()).await;
    let mut all = sent(session.run_in_all(task));
    assert!(sent(all.next()).await.is_some());
    sent(all.collect()).await;
}
