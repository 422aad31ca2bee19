//! A visit with several ids: the first that names a session is used.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{IdChange, InSession, SessionError, SessionId, Visit};
use sessile_testkit::Operation;

fn visit(ids: impl IntoIterator<Item = SessionId>) -> Visit {
    ids.into_iter().fold(Visit::new(), Visit::or)
}

/// Starts the session, and returns which id was used and the value found.
async fn taken(
    fixture: &Fixture,
    visit: Visit,
    lock: bool,
) -> Result<(Option<usize>, Option<serde_json::Value>), SessionError> {
    let session = &fixture.session;
    let open = session.open(visit);
    let work = async {
        match lock {
            false => session.start_readonly().await?,
            true => session.start().await?,
        }
        session.get("user")
    };
    let value = work.in_session(open.handle()).await?;
    open.close().await?;
    assert_eq!(open.outcome().id, IdChange::Keep);
    Ok((open.outcome().candidate, value))
}

#[tokio::test(start_paused = true)]
async fn the_first_that_names_a_session_is_taken() -> Result<(), SessionError> {
    let fixture = fixture();
    let first = fixture.stored([("user", json!(1))]).await;
    let second = fixture.stored([("user", json!(2))]).await;
    for lock in [false, true] {
        let both = visit([first.clone(), second.clone()]);
        assert_eq!(taken(&fixture, both, lock).await?, (Some(0), Some(json!(1))));
        let late = visit([unknown_id(), unknown_id(), second.clone(), first.clone()]);
        assert_eq!(taken(&fixture, late, lock).await?, (Some(2), Some(json!(2))));
        let none = visit([unknown_id(), unknown_id()]);
        assert_eq!(taken(&fixture, none, lock).await?, (None, None));
        assert!(fixture.is_free(&first).await && fixture.is_free(&second).await);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_known_first_id_costs_one_call() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored([("user", json!(1))]).await;
    taken(&fixture, visit([id, unknown_id(), unknown_id()]), false).await?;
    assert_eq!((fixture.calls.of(Operation::Read), fixture.calls.total()), (1, 1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn at_most_the_maximum_of_ids_is_tried() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored([("user", json!(1))]).await;
    let many = (0..100).map(|_| unknown_id()).chain([id]);
    fixture.calls.reset();
    assert_eq!(taken(&fixture, visit(many), false).await?, (None, None));
    assert_eq!(fixture.calls.total(), Visit::MAX_CANDIDATES as u64);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_live_id_wins_over_one_that_has_moved() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let moved = fixture.stored([("user", json!(1))]).await;
    let live = fixture.stored([("user", json!(2))]).await;
    session
        .enter(moved.clone().into(), async { session.regenerate_id() })
        .await?;

    let found = taken(&fixture, visit([unknown_id(), moved.clone(), live]), true).await?;
    assert_eq!(found, (Some(2), Some(json!(2))));

    // If none is live, the superseded one shows that a parallel visit has told the client its new id.
    let open = session.open(visit([unknown_id(), moved]));
    let work = async {
        session.start().await?;
        session.set("user", json!(3))
    };
    work.in_session(open.handle()).await?;
    assert_fails!(open.close().await, SessionError::Superseded);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn destroying_before_a_lookup_destroys_all_candidates() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let first = fixture.stored([("user", json!(1))]).await;
    let second = fixture.stored([("user", json!(2))]).await;
    let open = session.open(visit([unknown_id(), first.clone(), second.clone()]));
    session.destroy().in_session(open.handle()).await?;
    assert_eq!(open.outcome().id, IdChange::Remove);
    assert_eq!(open.outcome().candidate, Some(1));
    assert_eq!(fixture.sessions().await, 0);

    // Once the visit knows its session, it leaves the other candidates alone.
    let first = fixture.stored([("user", json!(1))]).await;
    let second = fixture.stored([("user", json!(2))]).await;
    let open = session.open(visit([first, second.clone()]));
    let work = async {
        session.start().await?;
        session.destroy().await
    };
    work.in_session(open.handle()).await?;
    assert_eq!(fixture.sessions().await, 1);
    assert!(fixture.record(&second).await.is_some());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_strict_visit_needs_a_live_candidate() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored([("user", json!(1))]).await;
    let found = taken(&fixture, Visit::attach(unknown_id()).or(id), true).await?;
    assert_eq!(found, (Some(1), Some(json!(1))));
    let none = taken(&fixture, Visit::attach(unknown_id()).or(unknown_id()), true).await;
    assert_fails!(none, SessionError::Unknown);
    Ok(())
}

/// An immediate storage is asked for the other ids, too, both for writing and for reading.
#[tokio::test]
async fn all_ids_are_tried_where_the_storage_is_immediate() -> Result<(), sessile_core::SessionError> {
    use sessile_core::{OsEntropy, Session, SessionError, SessionId, Visit};

    let session: Session = Session::builder(sessile_memory::MemoryStorage::new()).build();
    let made = async {
        session.set("user", "ada")?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), made).await?.output;
    for writes in [true, false] {
        let visit = Visit::from(SessionId::generate(&OsEntropy)).or(id.clone());
        let found = session.init(visit, async {
            match writes {
                true => session.start().await?,
                false => session.start_readonly().await?,
            }
            session.get("user")
        });
        assert_eq!(found.await??, Some("ada".into()), "writes: {writes}");
    }
    Ok(())
}
