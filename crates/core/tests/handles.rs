//! Carrying a visit out of its task, and using a handle after the visit has ended.

mod common;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use common::*;
use futures_core::Stream;
use serde_json::{Value, json};
use sessile_core::{Handle, InSession, SessionError, Visit};
use sessile_testkit::Operation;
use tokio::runtime;
use tokio::sync::{Notify, oneshot};
use tokio::task::spawn_blocking;

#[tokio::test(start_paused = true)]
async fn a_spawned_task_is_outside_of_the_context_unless_it_is_given_the_handle() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = fixture.session.clone();
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        session.start_readonly().await?;
        let handle = session.handle()?;
        let (outside, inside) = (session.clone(), session.clone());
        let outside = tokio::spawn(async move { outside.is_initialised() });
        let inside = tokio::spawn(async move { inside.get("user") }.in_session(&handle));
        assert!(!outside.await.expect("it ends"));
        assert_eq!(inside.await.expect("it ends")?, Some(json!(7)));
        Ok(())
    };
    fixture.visit(id, work).await
}

#[tokio::test(start_paused = true)]
async fn a_spawned_task_writes_into_the_visit_it_shares() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = fixture.session.clone();
    let id = fixture.stored([]).await;
    let work = async {
        let inside = session.clone();
        let task = async move { inside.set("user", json!(7)) };
        tokio::spawn(task.in_session(&session.handle()?))
            .await
            .expect("it ends")
    };
    session.enter(id.clone().into(), work).await?;
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_blocking_task_uses_the_session_through_the_handle() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = fixture.session.clone();
    let id = fixture.stored([("user", json!(7))]).await;
    let work = async {
        let handle = session.handle()?;
        let inside = session.clone();
        let task = move || {
            assert!(!inside.is_initialised());
            handle.enter(|| {
                inside.set("more", json!(8))?;
                inside.get("user")
            })
        };
        assert_eq!(spawn_blocking(task).await.expect("it ends")?, Some(json!(7)));
        Ok::<_, SessionError>(())
    };
    session.enter(id.clone().into(), work).await?;
    let expected = values([("user", json!(7)), ("more", json!(8))]);
    assert_eq!(fixture.shown(&id).await, Some(expected));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn entering_by_a_handle_ends_with_the_function_a_panic_included() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let visit = session.open(Visit::new());
    assert!(visit.handle().enter(|| session.is_initialised()));
    assert!(!session.is_initialised());
    let panics = std::panic::AssertUnwindSafe(|| visit.handle().enter(|| panic!("on purpose")));
    assert!(std::panic::catch_unwind(panics).is_err());
    assert!(!session.is_initialised());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn work_that_is_dropped_ends_its_visit_though_a_handle_is_left() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let kept = std::cell::OnceCell::new();
    {
        let work = async {
            session.start().await?;
            let _ = kept.set(session.handle()?);
            std::future::pending::<Result<(), SessionError>>().await
        };
        let work = session.open(id.clone().into()).work(|| work);
        assert!(tokio::time::timeout(ms(1), work).await.is_err());
    }
    assert!(fixture.is_free(&id).await);
    let kept = kept.get().expect("the work began");
    kept.enter(|| assert!(session.is_readable() && !session.is_writable()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn work_that_cannot_be_made_ends_its_visit_though_a_handle_is_left() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let (visit, handle) = session
        .open(id.clone().into())
        .work(|| async {
            session.start().await?;
            session.handle()
        })
        .await;
    let handle = handle?;
    let fails = || -> std::future::Ready<()> { panic!("on purpose") };
    let panics = std::panic::AssertUnwindSafe(|| drop(visit.work(fails)));
    assert!(std::panic::catch_unwind(panics).is_err());
    assert!(fixture.is_free(&id).await);
    handle.enter(|| assert!(session.is_readable() && !session.is_writable()));
    Ok(())
}

#[test]
fn a_handle_of_one_visit_means_that_visit_inside_of_another() {
    let runtime = runtime::Builder::new_current_thread().build().expect("a runtime");
    let fixture = runtime.block_on(async { fixture() });
    let session = &fixture.session;
    let (one, other) = (session.open(Visit::new()), session.open(Visit::new()));
    runtime.block_on(async {
        session.start().in_session(one.handle()).await.expect("it starts");
        other.handle().enter(|| {
            assert!(!session.is_active());
            one.handle().enter(|| assert!(session.is_active()));
            assert!(!session.is_active());
        });
    });
}

/// An endless stream whose items are a value of the session.
struct Values(sessile_core::Session);

impl Stream for Values {
    type Item = Result<Option<Value>, SessionError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(self.0.get("user")))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await
}

#[tokio::test(start_paused = true)]
async fn a_stream_reads_the_session_after_the_visit_is_over() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let body = fixture.visit(id, async {
        session.start_readonly().await?;
        Ok(Values(session.clone()).in_session(&session.handle()?))
    });
    let mut body = body.await?;
    assert_eq!(body.size_hint(), (usize::MAX, None));
    for _ in 0..3 {
        assert_eq!(next(&mut body).await.expect("an item")?, Some(json!(7)));
    }
    assert!(!session.is_initialised());
    Ok(())
}

/// Reports, when it is dropped, whether the session was available.
struct Witness(sessile_core::Session, Option<oneshot::Sender<bool>>);

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.1.take().expect("once").send(self.0.is_initialised());
    }
}

#[tokio::test(start_paused = true)]
async fn destructors_see_the_session() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let visit = session.open(Visit::new());
    for (poll, endless) in [(false, false), (true, false), (true, true)] {
        let (report, reported) = oneshot::channel();
        let witness = Witness(session.clone(), Some(report));
        let work = async move {
            let _witness = witness;
            if endless {
                std::future::pending::<()>().await;
            }
        };
        let mut work = Box::pin(work.in_session(visit.handle()));
        if poll {
            let _ = tokio::time::timeout(ms(1), &mut work).await;
        }
        drop(work);
        assert!(
            reported.await.expect("it is dropped"),
            "polled: {poll}, endless: {endless}"
        );
    }
    Ok(())
}

/// Ends a visit that has stored a value, and returns its handle.
async fn ended(fixture: &Fixture, visit: Visit) -> Result<Handle, SessionError> {
    fixture
        .visit(visit, async {
            fixture.session.start_readonly().await?;
            fixture.session.handle()
        })
        .await
}

#[tokio::test(start_paused = true)]
async fn when_the_visit_is_over_a_handle_still_reads_updates_and_starts() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let handle = ended(&fixture, id.clone().into()).await?;
    let work = async {
        assert_eq!(session.get("user")?, Some(json!(7)));
        session
            .transaction_exclusive(async || session.set("user", json!(8)))
            .await?;
        session.start().await?;
        session.set("more", json!(9))?;
        session.close().await
    };
    work.in_session(&handle).await?;
    let expected = values([("user", json!(8)), ("more", json!(9))]);
    assert_eq!(fixture.shown(&id).await, Some(expected));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn when_the_visit_is_over_a_transaction_from_a_blocking_task_is_stored() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = fixture.session.clone();
    let id = fixture.stored([("user", json!(7))]).await;
    let handle = ended(&fixture, id.clone().into()).await?;
    let runtime = runtime::Handle::current();
    let task = move || {
        let transaction = async {
            session
                .transaction_exclusive(async || session.set("user", json!(8)))
                .await
        };
        handle.enter(|| runtime.block_on(transaction))
    };
    spawn_blocking(task).await.expect("it ends")?;
    assert_eq!(fixture.calls.of(Operation::Commit), 1);
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_a_task_took_after_the_visit_was_over_ends_with_the_task() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let handle = ended(&fixture, id.clone().into()).await?;
    let task = async {
        session.start().await?;
        session.set("user", json!(8))?;
        assert!(!fixture.is_free(&id).await);
        Ok::<_, SessionError>(())
    };
    task.in_session(&handle).await?;
    assert!(fixture.is_free(&id).await);
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_given_back_when_the_visit_ends_though_a_task_still_has_its_handle() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = fixture.session.clone();
    let id = fixture.stored([("user", json!(7))]).await;
    let go = Arc::new(Notify::new());
    let work = async {
        session.start().await?;
        let (inside, gone) = (session.clone(), Arc::clone(&go));
        let task = async move {
            gone.notified().await;
            inside.set("user", json!(8))
        };
        Ok(tokio::spawn(task.in_session(&session.handle()?)))
    };
    let task = fixture.visit(id.clone(), work).await?;
    assert!(fixture.is_free(&id).await);
    go.notify_one();
    assert_fails!(task.await.expect("it ends"), SessionError::NotWritable);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_under_way_in_a_task_outlives_the_visit_and_commits() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = fixture.session.clone();
    let id = fixture.stored([("user", json!(7))]).await;
    let (go, may_go) = oneshot::channel();
    let (begun, has_begun) = oneshot::channel();
    let work = async {
        let inside = session.clone();
        let task = async move {
            let transaction = async || {
                begun.send(()).expect("it waits");
                may_go.await.expect("the signal is sent");
                inside.set("user", json!(8))
            };
            inside.transaction_exclusive(transaction).await
        };
        let task = tokio::spawn(task.in_session(&session.handle()?));
        has_begun.await.expect("it begins");
        Ok(task)
    };
    let task = fixture.visit(id.clone(), work).await?;
    assert!(!fixture.is_free(&id).await);
    go.send(()).expect("it waits");
    task.await.expect("it ends")?;
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    assert!(fixture.is_free(&id).await);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_visit_does_not_wait_for_a_transaction_that_waits_for_the_lock() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = fixture.session.clone();
    let id = fixture.stored([("user", json!(7))]).await;
    let transaction = fixture.while_locked(&id, async {
        let visit = session.open(id.clone().into());
        let inside = session.clone();
        let task = async move {
            inside
                .transaction_exclusive(async || inside.set("user", json!(8)))
                .await
        };
        let task = tokio::spawn(task.in_session(visit.handle()));
        pass(ms(1)).await;
        let before = fixture.now();
        visit.close().await?;
        assert_eq!(fixture.now(), before);
        Ok::<_, SessionError>(task)
    });
    transaction.await?.await.expect("it ends")?;
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_sealed_visit_can_store_no_new_session() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let visit = session.open(Visit::new());
    visit.seal();
    let work = async {
        let transaction = session.transaction_exclusive(async || session.set("user", json!(7)));
        assert_fails!(transaction.await, SessionError::Sealed);
        session.start().await?;
        assert_fails!(session.regenerate_id(), SessionError::Sealed);
        session.set("user", json!(7))?;
        assert_fails!(session.close().await, SessionError::Sealed);
        assert_eq!(session.get("user")?, None);
        Ok::<_, SessionError>(())
    };
    work.in_session(visit.handle()).await?;
    assert_eq!(fixture.sessions().await, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_sealed_visit_writes_to_its_session_but_changes_no_id() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let visit = session.open(id.clone().into());
    visit.seal();
    let work = async {
        session.start().await?;
        session.set("user", json!(8))?;
        assert_fails!(session.regenerate_id(), SessionError::Sealed);
        session.close().await
    };
    work.in_session(visit.handle()).await?;
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_id_that_was_asked_for_before_the_seal_can_no_longer_be_stored_after_it() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let visit = session.open(id.clone().into());
    let work = async {
        session.start().await?;
        session.set("user", json!(8))?;
        session.regenerate_id()
    };
    work.in_session(visit.handle()).await?;
    visit.seal();
    assert_fails!(visit.close().await, SessionError::Sealed);
    assert_eq!(visit.handle().enter(|| session.id()), Some(id.clone()));
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(7))])));
    assert!(fixture.is_free(&id).await);
    Ok(())
}
