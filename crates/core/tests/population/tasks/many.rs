//! Tasks on several sessions.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use sessile_core::{Session, SessionError, Visit};
use sessile_memory::MemoryStorage;

use super::{add, counts, stored_keys};
use crate::common::*;

#[tokio::test(start_paused = true)]
async fn each_session_has_its_result() {
    let fixture = fixture();
    let session = &fixture.session;
    let keys = stored_keys(&fixture, 40).await;
    let (dead, fails, panics, waits) = (unknown_id().key(), keys[3], keys[5], keys[7]);
    let listed = keys.iter().copied().chain([dead]);
    let results = session.run_in_each(listed, async || {
        add(session)?;
        match session.key() {
            key if key == Some(fails) => Err(SessionError::NotStarted),
            key if key == Some(panics) => panic!("on purpose"),
            key if key == Some(waits) => {
                pass(ms(1)).await;
                panic!("on purpose, later")
            }
            key => Ok(key),
        }
    });
    let results = results.collect().await;
    assert_eq!(results.iter().map(|(key, _)| *key).collect::<HashSet<_>>().len(), 41);
    for (key, result) in results {
        match result {
            Err(SessionError::Gone) => assert_eq!(key, dead),
            Err(SessionError::NotStarted) => assert_eq!(key, fails),
            Err(SessionError::TaskPanicked) => assert!(key == panics || key == waits),
            Ok(of_task) => assert_eq!(of_task, Some(key)),
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(counts(&fixture, &keys).await.iter().sum::<u64>(), 37);
    assert_eq!(fixture.storage.stats().locks, 0);
}

/// A panic while the closure makes the future, or while the future is dropped, is one of the task, too.
#[tokio::test(start_paused = true)]
async fn panics_outside_of_the_future_are_results() {
    struct PanicsWhenDropped;
    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("on purpose, once more");
        }
    }
    let fixture = fixture();
    let session = &fixture.session;
    let keys = stored_keys(&fixture, 3).await;
    let calls = Cell::new(0);
    let results = session.run_in_each(keys.clone(), || {
        calls.set(calls.get() + 1);
        let call = calls.get();
        assert_ne!(call, 1, "on purpose");
        async move {
            let _guard = (call == 2).then(|| PanicsWhenDropped);
            add(session)
        }
    });
    let results = results.concurrency(1).collect().await;
    let ok: Vec<_> = results.iter().map(|(_, result)| result.is_ok()).collect();
    assert_eq!(ok, [false, false, true], "{results:?}");
    assert_eq!(counts(&fixture, &keys).await, [0, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_tasks_run_at_a_time() {
    let fixture = fixture();
    let session = &fixture.session;
    let keys = stored_keys(&fixture, 60).await;
    for (concurrency, most) in [(None, 16), (Some(1), 1), (Some(0), 1), (Some(7), 7), (Some(100), 60)] {
        let (running, peak) = (Cell::new(0), Cell::new(0));
        let tasks = session.run_in_each(keys.clone(), async || {
            running.set(running.get() + 1);
            peak.set(peak.get().max(running.get()));
            pass(ms(5)).await;
            running.set(running.get() - 1);
            Ok(())
        });
        let tasks = match concurrency {
            Some(concurrency) => tasks.concurrency(concurrency),
            None => tasks,
        };
        let results = tasks.collect().await;
        assert!(results.len() == 60 && results.iter().all(|(_, result)| result.is_ok()));
        assert_eq!(peak.get(), most);
    }
}

/// The keys are taken when a task can start, and the tasks start when the stream is polled.
#[tokio::test(start_paused = true)]
async fn it_is_lazy() {
    let fixture = fixture();
    let session = &fixture.session;
    let keys = stored_keys(&fixture, 10).await;
    let taken = Cell::new(0);
    let listed = keys.iter().copied().inspect(|_| taken.set(taken.get() + 1));
    let mut tasks = session.run_in_each(listed, async || add(session)).concurrency(2);
    assert_eq!((taken.get(), fixture.calls.total()), (0, 0));
    tasks.next().await;
    assert!(taken.get() <= 4, "{}", taken.get());
    assert_eq!(tasks.progress().done(), 1);
}

#[tokio::test(start_paused = true)]
async fn progress_counts_results() {
    let fixture = fixture();
    let session = &fixture.session;
    let mut keys = stored_keys(&fixture, 4).await;
    keys.push(unknown_id().key());
    let mut tasks = session.run_in_each(keys.clone(), async || add(session)).concurrency(1);
    let progress = tasks.progress();
    for done in 0..5 {
        assert_eq!(
            (progress.done(), progress.failed(), progress.total()),
            (done, 0, Some(5))
        );
        let _ = tasks.next().await.expect("there is another");
    }
    assert_eq!((progress.done(), progress.failed()), (5, 1));
    assert!(tasks.next().await.is_none() && tasks.next().await.is_none());

    let unsized_keys = keys.iter().copied().filter(|_| true);
    let mut tasks = session.run_in_each(unsized_keys, async || add(session)).concurrency(1);
    let progress = tasks.progress();
    tasks.next().await;
    assert_eq!(progress.total(), None);
    tasks.collect().await;
    assert_eq!((progress.done(), progress.total()), (5, Some(5)));
}

/// Tasks that never wait leave room for other tasks of the thread.
#[tokio::test]
async fn other_tasks_run_meanwhile() {
    let session: Session = Session::builder(MemoryStorage::new()).build();
    for _ in 0..1_000 {
        session
            .enter(Visit::new(), async { add(&session) })
            .await
            .expect("it is stored");
    }
    let turns = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&turns);
    let other = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    tokio::task::yield_now().await;
    let before = turns.load(Ordering::Relaxed);
    let results = session.run_in_all(async || add(&session)).collect().await;
    assert_eq!(results.len(), 1_000);
    assert!(turns.load(Ordering::Relaxed) > before + 3);
    other.abort();
}

/// A session that is listed twice runs twice, one after the other.
#[tokio::test(start_paused = true)]
async fn one_session_several_times() {
    let fixture = fixture();
    let session = &fixture.session;
    let keys = stored_keys(&fixture, 1).await;
    let listed = std::iter::repeat_n(keys[0], 50);
    let tasks = session.run_in_each(listed, async || {
        pass(ms(1)).await;
        add(session)
    });
    let results: Vec<_> = tasks
        .collect()
        .await
        .into_iter()
        .map(|(_, count)| count.expect("it is there"))
        .collect();
    assert_eq!(results, (1..=50).collect::<Vec<_>>());
}

/// It also runs from a visit that holds one of the sessions.
#[tokio::test(start_paused = true)]
async fn from_inside_one_of_the_sessions() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(0))]).await;
    let mut keys = stored_keys(&fixture, 3).await;
    keys.push(id.key());
    let visit = async {
        add(session)?;
        let all = session.run_in_all(async || add(session)).collect().await;
        let each = session.run_in_each(keys.clone(), async || add(session)).collect().await;
        Ok((all, each))
    };
    let (all, each) = session.enter(id.into(), visit).await?.output;
    assert!(all.len() == 4 && all.iter().all(|item| matches!(item, Ok((_, Ok(_))))));
    assert!(each.len() == 4 && each.iter().all(|(_, result)| result.is_ok()));
    assert_eq!(counts(&fixture, &keys).await, [2, 2, 2, 3]);
    Ok(())
}
