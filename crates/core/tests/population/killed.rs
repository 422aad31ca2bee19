//! A process that is killed ends sessions that others report.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile_core::{EventKind, Events, Limit, Lookup, Session, SessionError, SessionId, Storage, Visit};
use sessile_testkit::{Operation, Slow};

use crate::world::World;

/// Runs a call in a process that is killed at one of its awaits, at each in turn. The other process has to report the
/// end of the session then.
async fn killed_everywhere(call: impl AsyncFn(&Session, &SessionId)) {
    for polls in 0.. {
        let world = World::new(|builder| builder);
        let (other, others) = World::process(&world.storage, |builder| builder);
        let id = world.log_in("ada").await.expect("the storage works");
        let slow = Slow::shared(Arc::clone(&world.storage));
        for operation in Operation::ALL {
            slow.delays().before(operation, Duration::from_millis(1));
            slow.delays().after(operation, Duration::from_millis(1));
        }
        let (dying, seen) = World::process(&Arc::new(slow), |builder| builder);
        let done = poll_times(polls, call(&dying, &id)).await.is_some();
        // The dead process takes with it all that it was not told in time.
        tokio::time::sleep(Duration::from_secs(31)).await;
        other.registry().maintain_once().await.expect("the storage works");
        let is_gone = world.storage.read(&id.key()).await.expect("the storage works") == Lookup::Missing;
        let reports = [&seen, &others]
            .map(|seen| seen.lock().expect("no listener panics").clone())
            .concat();
        let ends = reports
            .iter()
            .filter(|(kind, _)| matches!(kind, EventKind::Ended(_)))
            .count();
        assert_eq!(is_gone, ends > 0, "after {polls} polls: {reports:?}");
        assert!(ends <= 1 || !done, "after {polls} polls: {reports:?}");
        // Nothing is left: the watchlists are empty, once the session is over in any case.
        tokio::time::sleep(Duration::from_secs(100)).await;
        other.registry().maintain_once().await.expect("the storage works");
        assert_eq!(other.registry().audit().await.expect("the storage works").sessions, 0);
        // Barriers stand for an hour.
        tokio::time::sleep(Duration::from_secs(3_601)).await;
        let rosters = world
            .storage
            .scan(None, 10_000)
            .await
            .expect("the storage works")
            .sessions;
        assert_eq!(rosters, [], "after {polls} polls");
        if done {
            assert!(polls > 5, "the call was dropped at its awaits");
            return;
        }
    }
}

/// Polls a future the given number of times, a millisecond apart, and then drops it. Returns whether it completed.
async fn poll_times<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    for _ in 0..times {
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx))).await;
        if let std::task::Poll::Ready(output) = polled {
            return Some(output);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    None
}

#[tokio::test(start_paused = true)]
async fn an_end_that_a_killed_process_has_not_reported_is_reported() {
    killed_everywhere(async |session, id| {
        session.registry().end(&id.key()).await.unwrap();
    })
    .await;
    killed_everywhere(async |session, id| {
        session.registry().end_all("ada").await.unwrap();
        let _ = id;
    })
    .await;
    killed_everywhere(async |session, id| {
        let visit = Visit::from(id.clone());
        session.init(visit, session.destroy()).await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_eviction_that_a_killed_process_has_not_reported_is_reported() {
    for polls in 0.. {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let process = |storage: Arc<dyn Storage>| -> Session {
            let recorder = Arc::clone(&seen);
            let events = Events::new().at_least_once().listen(move |event| {
                if matches!(event.kind, EventKind::Ended(_)) {
                    recorder.lock().unwrap().push(event.key);
                }
            });
            let limit = Limit::per_owner(1).evict_oldest();
            Session::builder(storage).events(events).limit(limit).build()
        };
        let log_in = async |session: &Session| {
            let finished = session.enter(Visit::new(), async { session.log_in("ada") }).await?;
            Ok::<_, SessionError>(finished.outcome.new_id().unwrap().key())
        };
        let storage = World::new(|builder| builder).storage;
        let slow = Slow::shared(Arc::clone(&storage));
        for operation in Operation::ALL {
            slow.delays().before(operation, Duration::from_millis(1));
            slow.delays().after(operation, Duration::from_millis(1));
        }
        let (dying, other) = (process(Arc::new(slow)), process(Arc::clone(&storage) as _));
        let evicted = log_in(&other).await.unwrap();
        let done = poll_times(polls, log_in(&dying)).await.is_some();
        log_in(&other).await.unwrap();
        tokio::time::sleep(Duration::from_secs(31)).await;
        other.registry().maintain_once().await.unwrap();
        assert!(seen.lock().unwrap().contains(&evicted), "after {polls} polls");
        if done {
            assert!(polls > 5, "the login was dropped at its awaits");
            return;
        }
    }
}
