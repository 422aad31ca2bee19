//! Errors, panics and dropped futures in any run, on an immediate storage and on one that waits.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use serde_json::json;
use sessile_core::{InSession, SessionError};
use tokio::task::yield_now;

use super::Case;
use crate::common::*;
use crate::{Runs, add};

/// An error or a panic in any run ends the transaction: nothing of it is stored, and no lock remains.
#[tokio::test(start_paused = true)]
async fn an_error_or_a_panic_in_any_run_writes_nothing() -> Result<(), SessionError> {
    for panics in [false, true] {
        for last in 1..=3 {
            for case in Case::both() {
                let id = case.fixture.stored([("count", json!(0))]).await;
                let runs = Runs::default();
                let work = async {
                    let session = &case.session;
                    let transaction = session.transaction(async || {
                        let run = runs.next();
                        add(session, "mine")?;
                        if run == last {
                            assert!(!panics, "on purpose");
                            return Err(SessionError::Unknown);
                        }
                        case.change(&id, |other| add(other, "count")).await
                    });
                    match panics {
                        false => assert_fails!(transaction.await, SessionError::Unknown),
                        true => assert!(panics_in(transaction).await, "{:?}: it succeeds", case.access),
                    }
                    assert!(session.is_readable() && !session.is_writable());
                    assert_eq!(session.get("mine")?, None, "{:?}", case.access);
                    // The visit continues.
                    session.transaction(async || add(session, "later")).await
                };
                case.visit(&id, work).await?;
                assert_eq!(runs.count(), last, "{:?}", case.access);
                let expected = [("count", json!(last - 1)), ("later", json!(1))];
                case.assert_stored(&id, expected, &format!("{panics} {last}")).await;
            }
        }
    }
    Ok(())
}

/// Returns whether the future panics.
async fn panics_in<F: Future>(future: F) -> bool {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let mut future = Box::pin(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Ready(_)) => Poll::Ready(false),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(true),
    })
    .await
}

/// Polls the future the given number of times and drops it. Returns its output if it completed.
async fn poll_times<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Dropping a transaction in any run drops all of it, or comes too late.
#[tokio::test(start_paused = true)]
async fn a_transaction_dropped_at_any_await_writes_all_or_nothing() -> Result<(), SessionError> {
    /// More awaits than any transaction here has.
    const AWAITS: usize = 40;
    for case in Case::both() {
        for conflicts in 0..=2 {
            let mut cuts = 0;
            for polls in 0..AWAITS {
                let id = case.fixture.stored([("count", json!(0))]).await;
                let runs = Runs::default();
                let theirs = Runs::default();
                let work = async {
                    let session = &case.session;
                    let transaction = session.transaction(async || {
                        let run = runs.next();
                        yield_now().await;
                        add(session, "count")?;
                        yield_now().await;
                        if run <= conflicts {
                            case.change(&id, |other| add(other, "count")).await?;
                            theirs.next();
                        }
                        yield_now().await;
                        Ok(())
                    });
                    let ended = poll_times(polls, transaction).await.transpose()?;
                    let what = format!("{conflicts} conflicts, after {polls} polls");
                    let mine = u32::from(ended.is_some());
                    let count = json!(theirs.count() + mine);
                    case.assert_stored(&id, [("count", count)], &what).await;
                    assert!(!session.is_writable(), "{what}");
                    session.transaction(async || add(session, "later")).await?;
                    assert_eq!(
                        case.fixture.shown(&id).await.map(|shown| shown.len()),
                        Some(2),
                        "{what}"
                    );
                    Ok(ended.is_some())
                };
                if case.visit(&id, work).await? {
                    break;
                }
                cuts += 1;
            }
            assert!(cuts > 3 && cuts < AWAITS - 1, "{:?}: {cuts}", case.access);
        }
    }
    Ok(())
}

/// A transaction that waits for the lock leaves the wait queue when it is dropped, and hands over to the next waiter.
#[tokio::test(start_paused = true)]
async fn a_transaction_dropped_while_it_waits_hands_the_lock_over() -> Result<(), SessionError> {
    for case in Case::both() {
        let id = case.fixture.stored([("count", json!(0))]).await;
        for polls in 1..=6 {
            let holder = case.fixture.other_session();
            let visit = holder.open(id.clone().into());
            let work = async {
                holder.start().await?;
                case.visit(&id, async {
                    let transaction = case.session.transaction(async || add(&case.session, "count"));
                    let ended = poll_times_with_pauses(polls, transaction).await;
                    assert!(ended.is_none(), "{:?}: the transaction does not wait", case.access);
                    Ok(())
                })
                .await?;
                holder.set("held", json!(polls))?;
                holder.close().await
            };
            work.in_session(visit.handle()).await?;
            let expected = [("count", json!(0)), ("held", json!(polls))];
            case.assert_stored(&id, expected, &format!("{polls} polls")).await;
        }
    }
    Ok(())
}

/// Does the same as [`poll_times`], with a pause after each poll instead of waiting for a wake-up.
async fn poll_times_with_pauses<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
            return Some(output);
        }
        pass(ms(10)).await;
    }
    None
}
