//! A lock is a lease, which is renewed as long as the work continues.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{DEFAULT_LEASE, InSession, SessionError, SessionId, StorageErrorKind};
use sessile_testkit::{Fault, Operation};
use tokio::time::advance;

const LEASE: std::time::Duration = DEFAULT_LEASE;

/// Tries to take the lock repeatedly while the work runs. Returns whether it was ever free.
async fn is_ever_free<T>(
    fixture: &Fixture,
    id: &SessionId,
    work: impl Future<Output = Result<T, SessionError>>,
) -> bool {
    let watch = async {
        // Let the work take it first.
        pass(ms(1)).await;
        loop {
            if fixture.is_free(id).await {
                return;
            }
            pass(ms(700)).await;
        }
    };
    tokio::select! {
        () = watch => true,
        worked = work => {
            worked.expect("the work is done");
            false
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_held_for_as_long_as_the_work_goes_on() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = session.enter(id.clone().into(), async {
        pass(10 * LEASE).await;
        session.set("user", json!(8))
    });
    assert!(!is_ever_free(&fixture, &id, work).await);
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    // At every third of the lease.
    let renewals = fixture.calls.of(Operation::Renew);
    assert!((29..=30).contains(&renewals), "{renewals} renewals");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_renewed_inside_a_transaction_as_often_as_elsewhere() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = fixture.visit(id.clone(), async {
        let transaction = async || {
            pass(10 * LEASE).await;
            session.set("user", json!(8))
        };
        session.transaction_exclusive(transaction).await
    });
    assert!(!is_ever_free(&fixture, &id, work).await);
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    let renewals = fixture.calls.of(Operation::Renew);
    assert!((29..=30).contains(&renewals), "{renewals} renewals");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_renewed_in_a_task_after_the_visit_has_ended() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let handle = fixture.visit(id.clone(), async { session.handle() }).await?;
    let task = async {
        session.start().await?;
        pass(10 * LEASE).await;
        session.set("user", json!(8))?;
        session.close().await
    };
    assert!(!is_ever_free(&fixture, &id, task.in_session(&handle)).await);
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_blocks_its_thread_for_a_whole_lease_loses_the_lock() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let visit = fixture.visit(id.clone(), async {
        session.start().await?;
        session.set("user", json!(8))?;
        advance(LEASE).await;
        assert!(fixture.is_free(&id).await);
        assert_fails!(session.close().await, SessionError::LockLost);
        assert!(session.is_readable() && !session.is_writable());
        assert_eq!(session.get("user")?, Some(json!(7)));
        // A second attempt succeeds.
        session
            .transaction_exclusive(async || session.set("user", json!(9)))
            .await
    });
    visit.await?;
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(9))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_blocks_its_thread_for_two_thirds_of_the_lease_keeps_the_lock() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = session.enter(id.clone().into(), async {
        advance(LEASE - secs(1)).await;
        for _ in 0..5 {
            pass(secs(9)).await;
            advance(LEASE * 2 / 3 - secs(1)).await;
        }
        session.set("user", json!(8))
    });
    assert!(!is_ever_free(&fixture, &id, work).await);
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn two_renewals_in_a_row_may_fail() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    for nth in [1, 2, 4, 5] {
        fixture
            .faults
            .fail(Operation::Renew, nth, Fault::before(StorageErrorKind::Unavailable));
    }
    let work = session.enter(id.clone().into(), async {
        pass(3 * LEASE - secs(1)).await;
        session.set("user", json!(8))
    });
    assert!(!is_ever_free(&fixture, &id, work).await);
    assert_eq!(fixture.faults.injected(), 4);
    assert_eq!(fixture.shown(&id).await, Some(values([("user", json!(8))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_lost_is_not_renewed_any_more() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let visit = fixture.visit(id.clone(), async {
        session.start().await?;
        session.set("user", json!(8))?;
        advance(LEASE).await;
        pass(10 * LEASE).await;
        assert_eq!(fixture.calls.of(Operation::Renew), 1);
        assert_fails!(session.close().await, SessionError::LockLost);
        Ok(())
    });
    visit.await
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_was_given_up_is_not_renewed_and_the_next_one_is() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("user", json!(7))]).await;
    let work = fixture.visit(id.clone(), async {
        session.start().await?;
        session.close().await?;
        pass(2 * LEASE).await;
        session.start().await?;
        session.release().await?;
        pass(2 * LEASE).await;
        assert_eq!(fixture.calls.of(Operation::Renew), 0);
        session.start().await?;
        pass(2 * LEASE).await;
        assert!(fixture.calls.of(Operation::Renew) >= 5);
        assert!(!fixture.is_free(&id).await);
        session.close().await
    });
    work.await
}

#[test]
fn without_a_runtime_a_lock_is_held_for_its_lease() {
    // Work that any executor can poll, with a storage that needs no runtime either.
    let fixture = fixture();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let id = poll_through(&mut cx, fixture.stored([("user", json!(7))]));
    let session = &fixture.session;
    let work = session.enter(id.clone().into(), async {
        let mut first = true;
        std::future::poll_fn(|_| match std::mem::take(&mut first) {
            true => std::task::Poll::Pending,
            false => std::task::Poll::Ready(()),
        })
        .await;
        session.set("user", json!(8))
    });
    poll_through(&mut cx, work).expect("it is stored");
    assert_eq!(
        poll_through(&mut cx, fixture.shown(&id)),
        Some(values([("user", json!(8))]))
    );
}

fn poll_through<T>(cx: &mut std::task::Context<'_>, future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    for _ in 0..100 {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(cx) {
            return output;
        }
    }
    panic!("it does not end");
}

/// The timers of a single-threaded runtime stop while its thread is blocked, also for visits in other threads.
#[test]
fn a_runtime_whose_only_thread_is_blocked_for_a_lease_costs_the_lock_and_loses_nothing() {
    use sessile_core::{Lookup, Session, Storage, Visit};

    let lease = ms(200);
    let storage = sessile_memory::MemoryStorage::builder().lease(lease).build();
    let session: Session = Session::builder(storage.clone()).build();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let id = runtime.block_on(session.enter(Visit::new(), async {
        session.set("user", json!(7))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    }));
    let id = id.expect("it is stored").output;

    let (locked, is_locked) = std::sync::mpsc::channel();
    let (blocked, was_blocked) = tokio::sync::oneshot::channel();
    let (handle, key) = (runtime.handle().clone(), id.key());
    let visit = std::thread::spawn(move || {
        let work = session.init(id.into(), async {
            session.start().await?;
            session.set("user", json!(8))?;
            locked.send(()).expect("the test waits");
            was_blocked.await.expect("the thread goes on");
            let closed = session.close().await;
            assert!(matches!(closed, Err(SessionError::LockLost)), "{closed:?}");
            // A second attempt succeeds.
            session
                .transaction_exclusive(async || session.set("user", json!(9)))
                .await
        });
        handle.block_on(work).expect("it is the outermost")
    });
    runtime.block_on(async {
        is_locked.recv().expect("the lock is taken");
        std::thread::sleep(3 * lease);
        blocked.send(()).expect("the visit waits");
    });
    visit.join().expect("it does not panic").expect("it is stored");
    let stored = runtime.block_on(storage.read(&key));
    assert!(matches!(stored, Ok(Lookup::Found(stored)) if stored.record.meta.version == 2));
}
