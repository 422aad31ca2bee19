//! Transient data belongs to one browser window, and ends for a client that shows that this window was closed.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{
    Expiration, IdChange, InSession, Outcome, SessionError, SessionId, ShownWindow, Visit, WindowChange, WindowId,
};

/// A visit that shows this window; what it reads, and what its client is told.
async fn visit(
    world: &World,
    id: &SessionId,
    shown: ShownWindow,
    write: Option<&str>,
) -> Result<(Shown, Outcome), SessionError> {
    let session = &world.session;
    let visit = session.open(Visit::from(id.clone()).window(shown));
    let work = async {
        match write {
            None => session.start_readonly().await?,
            Some(name) => {
                session.start().await?;
                session.set_with_expiration(name, json!(1), Expiration::Transient)?;
            }
        }
        let names = session.keys()?;
        let pairs = names
            .into_iter()
            .map(|name| Ok((name.clone(), session.get(&name)?.unwrap_or_default())));
        pairs.collect::<Result<Shown, SessionError>>()
    };
    let seen = work.in_session(visit.handle()).await?;
    visit.close().await?;
    Ok((seen, visit.outcome()))
}

fn window_of(outcome: &Outcome) -> WindowId {
    match outcome.window {
        WindowChange::Set(window) => window,
        other => panic!("no window is named: {other:?}"),
    }
}

const PLAIN: (&str, serde_json::Value) = ("plain", serde_json::Value::Bool(true));

#[tokio::test(start_paused = true)]
async fn a_client_that_was_never_told_of_a_window_has_not_closed_it() -> Result<(), SessionError> {
    let world = world();
    let id = world.stored([PLAIN]).await;
    let (_, told) = visit(&world, &id, ShownWindow::Nothing, Some("x")).await?;
    let window = window_of(&told);
    // A request that was sent before that answer arrived, or the answer never did.
    for _ in 0..2 {
        let (seen, told) = visit(&world, &id, ShownWindow::Nothing, None).await?;
        assert_eq!(seen, values([PLAIN, ("x", json!(1))]));
        assert_eq!(window_of(&told), window, "it is told again");
    }
    let (_, told) = visit(&world, &id, ShownWindow::Open(window), Some("y")).await?;
    assert_eq!(told.window, WindowChange::Keep);
    assert_eq!(told.id, IdChange::Keep, "a window is named beside the id");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_a_closed_window_ends() -> Result<(), SessionError> {
    let world = world();
    for write in [None, Some("y")] {
        let id = world.stored([PLAIN]).await;
        let (_, told) = visit(&world, &id, ShownWindow::Nothing, Some("x")).await?;
        let closed = ShownWindow::Closed(window_of(&told));
        let (seen, told) = visit(&world, &id, closed, write).await?;
        match write {
            None => {
                assert_eq!(seen, values([PLAIN]));
                assert_eq!(told.window, WindowChange::Remove);
            }
            Some(new) => {
                assert_eq!(seen, values([PLAIN, (new, json!(1))]));
                assert_ne!(ShownWindow::Closed(window_of(&told)), closed);
            }
        }
        // A parallel request of the restarted browser takes nothing from what has begun since.
        let (again, _) = visit(&world, &id, closed, None).await?;
        assert_eq!(again, seen);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_with_its_window_ends_with_that_one() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let make = async {
        session.set_expiration(Expiration::sliding(secs(600)).or_transient())?;
        session.set("user", json!(7))
    };
    let open = session.open(Visit::new());
    async {
        session.start().await?;
        make.await
    }
    .in_session(open.handle())
    .await?;
    open.close().await?;
    let told = open.outcome();
    let window = window_of(&told);
    let IdChange::Set { id, max_age: None } = told.id else {
        panic!("the id is told, to be kept until the window closes")
    };
    let other = WindowId::parse_bytes(b"another1").expect("it is one");
    for shown in [
        ShownWindow::Nothing,
        ShownWindow::Open(other),
        ShownWindow::Closed(other),
    ] {
        let (seen, _) = visit(&world, &id, shown, None).await?;
        assert_eq!(seen, values([("user", json!(7))]), "{shown:?}");
    }
    let (seen, _) = visit(&world, &id, ShownWindow::Closed(window), None).await?;
    assert_eq!(seen, values([]));
    assert_eq!(world.record(&id).await, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_removed_yet_stays_hidden_and_the_client_goes_on_showing_why() -> Result<(), SessionError> {
    let world = world();
    let id = world.stored([PLAIN]).await;
    let (_, told) = visit(&world, &id, ShownWindow::Nothing, Some("x")).await?;
    let closed = ShownWindow::Closed(window_of(&told));
    let read = visit(&world, &id, closed, None);
    let (seen, told) = world.while_locked(&id, read).await?;
    assert_eq!(seen, values([PLAIN]));
    assert_eq!(told.window, WindowChange::Keep);
    assert!(world.shown(&id).await.is_some_and(|shown| shown.contains_key("x")));
    let (seen, told) = visit(&world, &id, closed, None).await?;
    assert_eq!(seen, values([PLAIN]));
    assert_eq!(told.window, WindowChange::Remove);
    assert_eq!(world.shown(&id).await, Some(values([PLAIN])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_without_windows_can_say_that_it_was_restarted() -> Result<(), SessionError> {
    let world = world();
    let id = world.stored([PLAIN]).await;
    visit(&world, &id, ShownWindow::Nothing, Some("x")).await?;
    let session = &world.session;
    let restarted = Visit::from(id.clone()).browser_restarted(true);
    world.visit(restarted, session.start_readonly()).await?;
    assert_eq!(world.shown(&id).await, Some(values([PLAIN])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_window_follows_its_session_to_a_new_id_and_is_forgotten_with_it() -> Result<(), SessionError> {
    let world = world();
    let session = &world.session;
    let id = world.stored([PLAIN]).await;
    let (_, told) = visit(&world, &id, ShownWindow::Nothing, Some("x")).await?;
    let shown = ShownWindow::Open(window_of(&told));
    let open = session.open(Visit::from(id).window(shown));
    let work = async {
        session.start().await?;
        session.regenerate_id()
    };
    work.in_session(open.handle()).await?;
    open.close().await?;
    assert_eq!(open.outcome().window, WindowChange::Keep);
    let IdChange::Set { id, .. } = open.outcome().id else {
        panic!("a new id is told")
    };
    let open = session.open(Visit::from(id).window(shown));
    session.destroy().in_session(open.handle()).await?;
    assert_eq!(open.outcome().window, WindowChange::Remove);
    Ok(())
}
