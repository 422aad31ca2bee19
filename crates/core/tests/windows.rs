//! Transient data belongs to one browser window, and ends for a client that reports that this window was closed.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{
    Expiration, IdChange, InSession, Outcome, SessionError, SessionId, ShownWindow, Visit, WindowChange, WindowId,
};

/// Runs a visit that reports this window. Returns the values it reads and its outcome.
async fn visit(
    fixture: &Fixture,
    id: &SessionId,
    shown: ShownWindow,
    write: Option<&str>,
) -> Result<(Shown, Outcome), SessionError> {
    let session = &fixture.session;
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
        other => panic!("no window is set: {other:?}"),
    }
}

const PLAIN: (&str, serde_json::Value) = ("plain", serde_json::Value::Bool(true));

#[tokio::test(start_paused = true)]
async fn a_client_that_never_received_a_window_has_not_closed_it() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored([PLAIN]).await;
    let (_, outcome) = visit(&fixture, &id, ShownWindow::Nothing, Some("x")).await?;
    let window = window_of(&outcome);
    // The request was sent before that response arrived, or the response was lost.
    for _ in 0..2 {
        let (seen, outcome) = visit(&fixture, &id, ShownWindow::Nothing, None).await?;
        assert_eq!(seen, values([PLAIN, ("x", json!(1))]));
        assert_eq!(window_of(&outcome), window, "the id is sent again");
    }
    let (_, outcome) = visit(&fixture, &id, ShownWindow::Open(window), Some("y")).await?;
    assert_eq!(outcome.window, WindowChange::Keep);
    assert_eq!(outcome.id, IdChange::Keep, "the window does not change the id");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn transient_data_ends_with_its_window() -> Result<(), SessionError> {
    let fixture = fixture();
    for write in [None, Some("y")] {
        let id = fixture.stored([PLAIN]).await;
        let (_, outcome) = visit(&fixture, &id, ShownWindow::Nothing, Some("x")).await?;
        let closed = ShownWindow::Closed(window_of(&outcome));
        let (seen, outcome) = visit(&fixture, &id, closed, write).await?;
        match write {
            None => {
                assert_eq!(seen, values([PLAIN]));
                assert_eq!(outcome.window, WindowChange::Remove);
            }
            Some(new) => {
                assert_eq!(seen, values([PLAIN, (new, json!(1))]));
                assert_ne!(ShownWindow::Closed(window_of(&outcome)), closed);
            }
        }
        // A parallel request of the restarted browser does not remove newer data.
        let (again, _) = visit(&fixture, &id, closed, None).await?;
        assert_eq!(again, seen);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transient_session_ends_with_its_own_window_only() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
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
    let outcome = open.outcome();
    let window = window_of(&outcome);
    let IdChange::Set { id, max_age: None } = outcome.id else {
        panic!("the client keeps the id until the window closes")
    };
    let other = WindowId::parse_bytes(b"another1").expect("it is one");
    for shown in [
        ShownWindow::Nothing,
        ShownWindow::Open(other),
        ShownWindow::Closed(other),
    ] {
        let (seen, _) = visit(&fixture, &id, shown, None).await?;
        assert_eq!(seen, values([("user", json!(7))]), "{shown:?}");
    }
    let (seen, _) = visit(&fixture, &id, ShownWindow::Closed(window), None).await?;
    assert_eq!(seen, values([]));
    assert_eq!(fixture.record(&id).await, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn data_that_cannot_be_removed_yet_is_hidden_until_it_can() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored([PLAIN]).await;
    let (_, outcome) = visit(&fixture, &id, ShownWindow::Nothing, Some("x")).await?;
    let closed = ShownWindow::Closed(window_of(&outcome));
    let read = visit(&fixture, &id, closed, None);
    let (seen, outcome) = fixture.while_locked(&id, read).await?;
    assert_eq!(seen, values([PLAIN]));
    assert_eq!(outcome.window, WindowChange::Keep);
    assert!(fixture.shown(&id).await.is_some_and(|shown| shown.contains_key("x")));
    let (seen, outcome) = visit(&fixture, &id, closed, None).await?;
    assert_eq!(seen, values([PLAIN]));
    assert_eq!(outcome.window, WindowChange::Remove);
    assert_eq!(fixture.shown(&id).await, Some(values([PLAIN])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_without_windows_can_report_a_restart() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = fixture.stored([PLAIN]).await;
    visit(&fixture, &id, ShownWindow::Nothing, Some("x")).await?;
    let session = &fixture.session;
    let restarted = Visit::from(id.clone()).browser_restarted(true);
    fixture.visit(restarted, session.start_readonly()).await?;
    assert_eq!(fixture.shown(&id).await, Some(values([PLAIN])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_window_is_kept_on_rotation_and_removed_with_its_session() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([PLAIN]).await;
    let (_, outcome) = visit(&fixture, &id, ShownWindow::Nothing, Some("x")).await?;
    let shown = ShownWindow::Open(window_of(&outcome));
    let open = session.open(Visit::from(id).window(shown));
    let work = async {
        session.start().await?;
        session.regenerate_id()
    };
    work.in_session(open.handle()).await?;
    open.close().await?;
    assert_eq!(open.outcome().window, WindowChange::Keep);
    let IdChange::Set { id, .. } = open.outcome().id else {
        panic!("there is a new id")
    };
    let open = session.open(Visit::from(id).window(shown));
    session.destroy().in_session(open.handle()).await?;
    assert_eq!(open.outcome().window, WindowChange::Remove);
    Ok(())
}
