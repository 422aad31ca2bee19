//! Transactions move sliding expirations and remove expired values.

use serde_json::json;
use sessile_core::{Expiration, MINUTE, SessionError, SessionId};
use sessile_testkit::Operation;

use crate::common::*;
use crate::{Runs, add};

async fn deadline(fixture: &Fixture, id: &SessionId) -> sessile_core::Timestamp {
    let record = fixture.record(id).await.expect("the session exists");
    record.meta.deadline.expect("it has a deadline")
}

#[tokio::test(start_paused = true)]
async fn sliding_expirations_move_with_and_without_a_change() -> Result<(), SessionError> {
    for changes in [false, true] {
        let fixture = fixture();
        let session = &fixture.session;
        let id = fixture
            .stored_as(Expiration::sliding(MINUTE), [("count", json!(0))])
            .await;
        pass(secs(30)).await;
        let now = fixture.now();
        fixture.calls.reset();
        let transaction = session.transaction(async || match changes {
            true => add(session, "count"),
            false => Ok(()),
        });
        fixture.visit(id.clone(), transaction).await?;
        let second = if changes { Operation::Replace } else { Operation::Touch };
        assert_eq!(fixture.calls.take(), [(Operation::Read, 1), (second, 1)]);
        assert_eq!(deadline(&fixture, &id).await, now + MINUTE);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_another_visit_moved_is_never_moved_back() -> Result<(), SessionError> {
    for changes in [false, true] {
        let fixture = fixture();
        let session = &fixture.session;
        let id = fixture
            .stored_as(Expiration::sliding(MINUTE), [("count", json!(0))])
            .await;
        pass(secs(30)).await;
        // The write is planned, and another visit uses the session before it happens.
        fixture.delays.before(Operation::Replace, secs(20));
        fixture.delays.before(Operation::Touch, secs(20));
        let transaction = session.transaction(async || match changes {
            true => add(session, "count"),
            false => Ok(()),
        });
        let beside = async {
            pass(secs(19)).await;
            let other = fixture.other_session();
            other.init(id.clone().into(), other.start_readonly()).await??;
            Ok::<_, SessionError>(deadline(&fixture, &id).await)
        };
        let (updated, moved) = tokio::join!(fixture.visit(id.clone(), transaction), beside);
        updated?;
        assert!(deadline(&fixture, &id).await >= moved?);
        let count = values([("count", json!(u64::from(changes)))]);
        assert_eq!(fixture.shown(&id).await, Some(count));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_expired_value_is_removed_under_the_lock() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture
        .stored_as(Expiration::sliding(MINUTE), [("count", json!(0))])
        .await;
    let work = async { session.set_with_expiration("dead", json!("d".repeat(100)), Expiration::sliding(secs(10))) };
    session.enter(id.clone().into(), work).await?;
    pass(secs(30)).await;
    fixture.calls.reset();
    let runs = Runs::default();
    let transaction = async || {
        runs.next();
        assert_eq!(session.get("dead")?, None);
        add(session, "count")
    };
    fixture.visit(id.clone(), session.transaction(transaction)).await?;
    assert_eq!(runs.count(), 1);
    assert_eq!(fixture.calls.of(Operation::Lock), 1);
    assert_eq!(fixture.calls.of(Operation::Replace), 0);
    let record = fixture.record(&id).await.expect("the session exists");
    assert!(record.payload.len() < 100);
    assert_eq!(fixture.shown(&id).await, Some(values([("count", json!(1))])));
    Ok(())
}
