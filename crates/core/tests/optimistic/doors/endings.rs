//! Errors, panics and dropped futures in any run, on an immediate storage and on one that waits.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use serde_json::json;
use sessile_core::{InSession, SessionError};
use tokio::task::yield_now;

use super::House;
use crate::common::*;
use crate::{Runs, add};

/// An error or a panic in any run ends the update: nothing of it is stored, and no lock remains.
#[tokio::test(start_paused = true)]
async fn an_error_or_a_panic_in_any_run_writes_nothing() -> Result<(), SessionError> {
    for panics in [false, true] {
        for last in 1..=3 {
            for house in House::both() {
                let id = house.world.stored([("count", json!(0))]).await;
                let runs = Runs::default();
                let work = async {
                    let session = &house.session;
                    let update = session.update(async || {
                        let run = runs.next();
                        add(session, "mine")?;
                        if run == last {
                            assert!(!panics, "on purpose");
                            return Err(SessionError::Unknown);
                        }
                        house.change(&id, |other| add(other, "count")).await
                    });
                    match panics {
                        false => assert_fails!(update.await, SessionError::Unknown),
                        true => assert!(panics_in(update).await, "{:?}: it ends well", house.door),
                    }
                    assert!(session.is_readable() && !session.is_writable());
                    assert_eq!(session.get("mine")?, None, "{:?}", house.door);
                    // The visit continues.
                    session.update(async || add(session, "later")).await
                };
                house.visit(&id, work).await?;
                assert_eq!(runs.count(), last, "{:?}", house.door);
                let expected = [("count", json!(last - 1)), ("later", json!(1))];
                house.assert_stored(&id, expected, &format!("{panics} {last}")).await;
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
async fn cut<F: Future>(polls: usize, future: F) -> Option<F::Output> {
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

/// Dropping an update in any run drops all of it, or comes too late.
#[tokio::test(start_paused = true)]
async fn an_update_dropped_at_any_await_writes_all_or_nothing() -> Result<(), SessionError> {
    /// More awaits than any update here has.
    const AWAITS: usize = 40;
    for house in House::both() {
        for conflicts in 0..=2 {
            let mut cuts = 0;
            for polls in 0..AWAITS {
                let id = house.world.stored([("count", json!(0))]).await;
                let runs = Runs::default();
                let theirs = Runs::default();
                let work = async {
                    let session = &house.session;
                    let update = session.update(async || {
                        let run = runs.next();
                        yield_now().await;
                        add(session, "count")?;
                        yield_now().await;
                        if run <= conflicts {
                            house.change(&id, |other| add(other, "count")).await?;
                            theirs.next();
                        }
                        yield_now().await;
                        Ok(())
                    });
                    let ended = cut(polls, update).await.transpose()?;
                    let what = format!("{conflicts} conflicts, after {polls} polls");
                    let mine = u32::from(ended.is_some());
                    let count = json!(theirs.count() + mine);
                    house.assert_stored(&id, [("count", count)], &what).await;
                    assert!(!session.is_writable(), "{what}");
                    session.update(async || add(session, "later")).await?;
                    assert_eq!(house.world.shown(&id).await.map(|shown| shown.len()), Some(2), "{what}");
                    Ok(ended.is_some())
                };
                if house.visit(&id, work).await? {
                    break;
                }
                cuts += 1;
            }
            assert!(cuts > 3 && cuts < AWAITS - 1, "{:?}: {cuts}", house.door);
        }
    }
    Ok(())
}

/// An update that waits for the lock leaves the wait queue when it is dropped, and hands over to the next waiter.
#[tokio::test(start_paused = true)]
async fn an_update_dropped_while_it_waits_hands_the_lock_over() -> Result<(), SessionError> {
    for house in House::both() {
        let id = house.world.stored([("count", json!(0))]).await;
        for polls in 1..=6 {
            let holder = house.world.elsewhere();
            let visit = holder.open(id.clone().into());
            let work = async {
                holder.start().await?;
                house
                    .visit(&id, async {
                        let update = house.session.update(async || add(&house.session, "count"));
                        let ended = cut_in_time(polls, update).await;
                        assert!(ended.is_none(), "{:?}: it does not wait", house.door);
                        Ok(())
                    })
                    .await?;
                holder.set("held", json!(polls))?;
                holder.close().await
            };
            work.in_session(visit.handle()).await?;
            let expected = [("count", json!(0)), ("held", json!(polls))];
            house.assert_stored(&id, expected, &format!("{polls} polls")).await;
        }
    }
    Ok(())
}

/// Does the same as [`cut`], with a pause after each poll instead of waiting for a wake-up.
async fn cut_in_time<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
            return Some(output);
        }
        pass(ms(10)).await;
    }
    None
}
