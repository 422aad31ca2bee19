//! A visit can come with several ids: the first that names a session is taken.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{IdChange, InSession, SessionError, SessionId, Visit};
use sessile_testkit::Verb;

fn visit(ids: impl IntoIterator<Item = SessionId>) -> Visit {
    ids.into_iter().fold(Visit::new(), Visit::or)
}

/// Starts, and returns which of the ids was taken and what it led to.
async fn taken(
    world: &World,
    visit: Visit,
    lock: bool,
) -> Result<(Option<usize>, Option<serde_json::Value>), SessionError> {
    let session = &world.session;
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
    let world = world();
    let first = world.stored([("user", json!(1))]).await;
    let second = world.stored([("user", json!(2))]).await;
    for lock in [false, true] {
        let both = visit([first.clone(), second.clone()]);
        assert_eq!(taken(&world, both, lock).await?, (Some(0), Some(json!(1))));
        let late = visit([unknown_id(), unknown_id(), second.clone(), first.clone()]);
        assert_eq!(taken(&world, late, lock).await?, (Some(2), Some(json!(2))));
        let none = visit([unknown_id(), unknown_id()]);
        assert_eq!(taken(&world, none, lock).await?, (None, None));
        assert!(world.is_free(&first).await && world.is_free(&second).await);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_that_is_known_at_once_costs_one_call() -> Result<(), SessionError> {
    let world = world();
    let id = world.stored([("user", json!(1))]).await;
    taken(&world, visit([id, unknown_id(), unknown_id()]), false).await?;
    assert_eq!((world.calls.of(Verb::Read), world.calls.total()), (1, 1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn no_more_are_tried_than_a_visit_can_have() -> Result<(), SessionError> {
    let world = world();
    let id = world.stored([("user", json!(1))]).await;
    let many = (0..100).map(|_| unknown_id()).chain([id]);
    world.calls.reset();
    assert_eq!(taken(&world, visit(many), false).await?, (None, None));
    assert_eq!(world.calls.total(), Visit::MAX_CANDIDATES as u64);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_live_one_counts_before_one_that_has_moved() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let moved = world.stored([("user", json!(1))]).await;
    let live = world.stored([("user", json!(2))]).await;
    session
        .enter(moved.clone().into(), async { session.regenerate_id() })
        .await?;

    let found = taken(&world, visit([unknown_id(), moved.clone(), live]), true).await?;
    assert_eq!(found, (Some(2), Some(json!(2))));

    // Where none is live, the one that has moved says that a parallel visit has told the client.
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
async fn destroying_before_anybody_has_looked_ends_all_of_them() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let first = world.stored([("user", json!(1))]).await;
    let second = world.stored([("user", json!(2))]).await;
    let open = session.open(visit([unknown_id(), first.clone(), second.clone()]));
    session.destroy().in_session(open.handle()).await?;
    assert_eq!(open.outcome().id, IdChange::Remove);
    assert_eq!(open.outcome().candidate, Some(1));
    assert_eq!(world.sessions().await, 0);

    // Once it is known which session the visit is about, the others are none of its business.
    let first = world.stored([("user", json!(1))]).await;
    let second = world.stored([("user", json!(2))]).await;
    let open = session.open(visit([first, second.clone()]));
    let work = async {
        session.start().await?;
        session.destroy().await
    };
    work.in_session(open.handle()).await?;
    assert_eq!(world.sessions().await, 1);
    assert!(world.record(&second).await.is_some());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_strict_visit_needs_one_of_them() -> Result<(), SessionError> {
    let world = world();
    let id = world.stored([("user", json!(1))]).await;
    let found = taken(&world, Visit::attach(unknown_id()).or(id), true).await?;
    assert_eq!(found, (Some(1), Some(json!(1))));
    let none = taken(&world, Visit::attach(unknown_id()).or(unknown_id()), true).await;
    assert_fails!(none, SessionError::Unknown);
    Ok(())
}

/// A storage that answers at once is asked for the other ids as well, by those who write and those who read.
#[tokio::test]
async fn all_ids_are_tried_where_the_storage_answers_at_once() -> Result<(), sessile_core::SessionError> {
    use sessile_core::{OsEntropy, Session, SessionError, SessionId, Visit};

    let session: Session = Session::builder(sessile_memory::MemoryStorage::new()).build();
    let made = async {
        session.set("user", "ada")?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), made).await?;
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
