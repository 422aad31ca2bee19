//! Watching a session: whatever becomes of hints, what was written, moved or has ended is told.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde_json::json;
use sessile_core::{
    DAY, Expiration, Session, SessionChange, SessionError, SessionId, SessionKey, SessionWatch, StorageErrorKind, Visit,
};
use sessile_testkit::{Fault, Operation};

use super::hints::How;
use super::support::*;
use crate::common::*;

/// Returns what a watch tells before any time has passed.
async fn told_now(watch: &mut SessionWatch) -> Option<Result<SessionChange, SessionError>> {
    tokio::time::timeout(Duration::ZERO, watch.next()).await.ok()
}

fn is_written(told: &SessionChange) -> bool {
    matches!(told, SessionChange::Written(_))
}

async fn write(fixture: &Fixture, id: &SessionId, value: i32) {
    let session = fixture.other_session();
    visit(&session, id.clone(), || session.set("n", value)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_first_change_is_the_present_state() {
    let fixture = fixture();
    let id = fixture.stored([("n", json!(1))]).await;
    let mut watch = fixture.session.registry().watch(&id.key());
    let SessionChange::Written(info) = watch.next().await.unwrap() else {
        panic!("it lives")
    };
    assert_eq!(info.key, id.key());
    assert!(told_now(&mut watch).await.is_none(), "nothing has happened since");
    assert_eq!(fixture.calls.total(), 1, "and nothing was read");
}

#[tokio::test(start_paused = true)]
async fn a_write_a_move_and_an_end_are_told_at_once() {
    let fixture = fixture();
    let registry = fixture.session.registry();
    let id = fixture.stored([("n", json!(1))]).await;
    let mut watch = registry.watch(&id.key());
    assert!(is_written(&watch.next().await.unwrap()));
    let start = tokio::time::Instant::now();

    write(&fixture, &id, 2).await;
    assert!(is_written(&watch.next().await.unwrap()));

    let session = fixture.other_session();
    let renewed = visit(&session, id.clone(), || session.regenerate_id()).await.unwrap();
    assert_eq!(watch.next().await.unwrap(), SessionChange::Moved);
    assert_eq!(watch.next().await.unwrap(), SessionChange::Moved, "that is final");

    let mut watch = registry.watch(&renewed.key());
    assert!(is_written(&watch.next().await.unwrap()));
    fixture.other_session().registry().end(&renewed.key()).await.unwrap();
    let last = watch.next().await.unwrap();
    assert!(last.is_final());
    assert_eq!(last, SessionChange::Ended);
    assert_eq!(start.elapsed(), Duration::ZERO, "hints were enough");
}

#[tokio::test(start_paused = true)]
async fn a_change_between_a_read_and_the_first_change_is_told() {
    let fixture = fixture();
    let id = fixture.stored([("n", json!(1))]).await;
    // The reader knows version 1, watches, and comes to wait only after the write.
    let mut watch = fixture.session.registry().watch(&id.key());
    let SessionChange::Written(_) = watch.next().await.unwrap() else {
        panic!("it lives")
    };
    write(&fixture, &id, 2).await;
    write(&fixture, &id, 3).await;
    assert!(is_written(&watch.next().await.unwrap()));
    assert!(told_now(&mut watch).await.is_none(), "two writes are one change");
}

#[tokio::test(start_paused = true)]
async fn a_write_while_the_session_is_read_is_told() {
    let fixture = fixture();
    let id = fixture.stored([("n", json!(1))]).await;
    let mut watch = fixture.session.registry().watch(&id.key());
    // The answer to the first read is on its way when the session is written.
    fixture.delays.after(Operation::Read, secs(1));
    {
        let mut first = pin!(watch.next());
        let polled = poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
        write(&fixture, &id, 2).await;
        assert!(is_written(&first.await.unwrap()));
    }
    assert!(
        is_written(&watch.next().await.unwrap()),
        "the write came after what was read"
    );
}

#[tokio::test(start_paused = true)]
async fn an_expiry_is_told_when_the_time_is_over_however_often_it_moves() {
    let fixture = fixture();
    let expiration = Expiration::sliding(secs(100));
    let id = fixture.stored_as(expiration, [("n", json!(1))]).await;
    let mut watch = fixture.session.registry().watch(&id.key());
    let start = tokio::time::Instant::now();
    assert!(is_written(&watch.next().await.unwrap()));
    // Readers move the deadline and write nothing: no change, and no hint.
    let readers = async {
        for _ in 0..3 {
            pass(secs(50)).await;
            let other = fixture.other_session();
            visit_readonly(&other, &id).await;
        }
    };
    let (told, ()) = tokio::join!(watch.next(), readers);
    assert_eq!(told.unwrap(), SessionChange::Ended);
    let after = start.elapsed();
    assert!(
        (secs(250)..=secs(250) + ms(60)).contains(&after),
        "it ends after {after:?}"
    );
}

async fn visit_readonly(session: &Session, id: &SessionId) {
    let read = session.init(id.clone().into(), async { session.start_readonly().await });
    read.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_end_of_everything_is_told_at_once() {
    let fixture = fixture_with(|builder| builder.epochs(true));
    let session = &fixture.session;
    let id = visit(session, Visit::new(), || session.set("n", 1)).await.unwrap();
    let mut watch = session.registry().watch(&id.key());
    assert!(is_written(&watch.next().await.unwrap()));
    let start = tokio::time::Instant::now();
    session.registry().end_everything().await.unwrap();
    assert_eq!(watch.next().await.unwrap(), SessionChange::Ended);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_moved_session_is_not_followed_during_its_grace() {
    let fixture = fixture();
    let id = fixture.stored([("n", json!(1))]).await;
    let mut watch = fixture.session.registry().watch(&id.key());
    assert!(is_written(&watch.next().await.unwrap()));
    let session = Session::<sessile_core::Untyped>::builder(Arc::clone(&fixture.storage))
        .rotation_grace(secs(60))
        .build();
    visit(&session, id.clone(), || session.regenerate_id()).await.unwrap();
    assert_eq!(watch.next().await.unwrap(), SessionChange::Moved);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_there_has_ended() {
    let fixture = fixture();
    let key = SessionKey::derive("no", "session");
    assert_eq!(
        fixture.session.registry().watch(&key).next().await.unwrap(),
        SessionChange::Ended
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_read_is_told_and_repeated_after_a_second() {
    let fixture = fixture();
    let id = fixture.stored([("n", json!(1))]).await;
    let mut watch = fixture.session.registry().watch(&id.key());
    assert!(is_written(&watch.next().await.unwrap()));
    fixture
        .faults
        .fail_next(Operation::Read, Fault::before(StorageErrorKind::Unavailable));
    write(&fixture, &id, 2).await;
    assert!(watch.next().await.is_err());
    assert!(told_now(&mut watch).await.is_none(), "it does not read again at once");
    let start = tokio::time::Instant::now();
    assert!(
        is_written(&watch.next().await.unwrap()),
        "what the failed read was for is not forgotten"
    );
    assert!(start.elapsed() <= secs(1) + ms(10));
}

/// Drops the future at each of its awaits, before and after the read takes effect: nothing is lost.
#[tokio::test(start_paused = true)]
async fn a_dropped_future_loses_no_change() {
    for polls in 0..8 {
        let fixture = fixture();
        let id = fixture.stored([("n", json!(1))]).await;
        let mut watch = fixture.session.registry().watch(&id.key());
        assert!(is_written(&watch.next().await.unwrap()));
        fixture.delays.before(Operation::Read, ms(2));
        fixture.delays.after(Operation::Read, ms(2));
        write(&fixture, &id, 2).await;
        let mut told = None;
        {
            let mut next = pin!(watch.next());
            for _ in 0..polls {
                let polled = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await;
                if let Poll::Ready(change) = polled {
                    told = Some(change);
                    break;
                }
                pass(ms(1)).await;
            }
        }
        fixture.delays.clear();
        if told.is_none() {
            told = told_now(&mut watch).await;
        }
        let told = told.unwrap_or_else(|| panic!("after {polls} polls the change is lost"));
        assert!(is_written(&told.unwrap()));
        assert!(
            told_now(&mut watch).await.is_none(),
            "after {polls} polls it is told twice"
        );
    }
}

/// Dropping the future again and again does not put the next read without a hint off.
#[tokio::test(start_paused = true)]
async fn a_future_that_is_dropped_often_reads_in_time() {
    let fixture = fixture();
    let id = fixture.stored_as(Expiration::After(secs(10)), [("n", json!(1))]).await;
    let mut watch = fixture.session.registry().watch(&id.key());
    assert!(is_written(&watch.next().await.unwrap()));
    for _ in 0..11 {
        if let Ok(told) = tokio::time::timeout(secs(1), watch.next()).await {
            assert_eq!(told.unwrap(), SessionChange::Ended);
            return;
        }
    }
    panic!("the deadline has come");
}

#[tokio::test(start_paused = true)]
async fn without_hints_a_session_is_read_once_a_second_and_with_lost_ones_every_thirty() {
    for (how, interval) in [(How::Missing, secs(1)), (How::Lost, secs(30))] {
        let fixture = fixture();
        let id = fixture.stored([("n", json!(1))]).await;
        let (session, _) = fixture.hinted(how);
        let mut watch = session.registry().watch(&id.key());
        assert!(is_written(&watch.next().await.unwrap()));
        for (value, interval) in [(2, interval), (3, interval)] {
            let start = tokio::time::Instant::now();
            write(&fixture, &id, value).await;
            assert!(is_written(&watch.next().await.unwrap()));
            let took = start.elapsed();
            assert!((interval..=interval + ms(10)).contains(&took), "{how:?}: {took:?}");
        }
        let mut watch = session.registry().watch(&id.key()).poll_every(secs(5));
        assert!(is_written(&watch.next().await.unwrap()));
        let start = tokio::time::Instant::now();
        fixture.other_session().registry().end(&id.key()).await.unwrap();
        assert_eq!(watch.next().await.unwrap(), SessionChange::Ended);
        assert!((secs(5)..=secs(5) + ms(10)).contains(&start.elapsed()));
    }
}

#[tokio::test(start_paused = true)]
async fn an_interval_can_be_neither_nothing_nor_endless() {
    let fixture = fixture();
    let id = fixture.stored([("n", json!(1))]).await;
    let (session, _) = fixture.hinted(How::Missing);
    let registry = session.registry();
    let mut watch = registry.watch(&id.key()).poll_every(Duration::ZERO);
    assert!(is_written(&watch.next().await.unwrap()));
    assert!(
        tokio::time::timeout(secs(1), watch.next()).await.is_err(),
        "time goes on"
    );
    let mut watch = registry.watch(&id.key()).poll_every(Duration::MAX);
    assert!(is_written(&watch.next().await.unwrap()));
    assert!(tokio::time::timeout(DAY / 2, watch.next()).await.is_err());
    write(&fixture, &id, 2).await;
    assert!(is_written(&watch.next().await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn doubled_hints_tell_a_change_once() {
    let fixture = fixture();
    let id = fixture.stored([("n", json!(1))]).await;
    let (session, watchers) = fixture.hinted(How::Doubled);
    let mut watch = session.registry().watch(&id.key());
    assert!(is_written(&watch.next().await.unwrap()));
    visit(&session, id.clone(), || session.set("n", 2)).await.unwrap();
    assert!(is_written(&watch.next().await.unwrap()));
    assert!(told_now(&mut watch).await.is_none());
    watchers.wake(&id.key());
    assert!(told_now(&mut watch).await.is_none(), "a hint without a change");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_watch_ends_the_one_of_the_storage() {
    let fixture = fixture();
    let id = fixture.stored([("n", json!(1))]).await;
    let (session, watchers) = fixture.hinted(How::Doubled);
    let mut watch = session.registry().watch(&id.key());
    assert!(is_written(&watch.next().await.unwrap()));
    assert_eq!(watchers.len(), 2, "the session and the epoch");
    session.registry().end(&id.key()).await.unwrap();
    assert_eq!(watch.next().await.unwrap(), SessionChange::Ended);
    assert!(watchers.is_empty(), "after the last change there is nothing to watch");
    drop(session.registry().watch(&id.key()));
    assert!(watchers.is_empty());
}

/// A connection holds no lock while it watches, so its session can be used and ended meanwhile.
#[tokio::test(start_paused = true)]
async fn watching_takes_no_lock() {
    let fixture = fixture();
    let id = fixture.stored([("n", json!(1))]).await;
    let mut watch = fixture.session.registry().watch(&id.key());
    let told = fixture.while_locked(&id, async { watch.next().await }).await;
    assert!(is_written(&told.unwrap()));
    fixture.assert_idle("while it is watched");
}
