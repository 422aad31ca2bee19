//! Transient sessions, namespaces and values end with the browser window.

mod common;

use common::*;
use serde_json::json;
use sessile_core::{Expiration, HOUR, MINUTE, SessionError, SessionId, Visit};

/// Stores a session that stays, with a transient value, a transient namespace, and a namespace that holds a transient
/// value.
async fn mixed(fixture: &Fixture) -> Result<SessionId, SessionError> {
    let session = &fixture.session;
    let work = async {
        session.set("stays", json!(1))?;
        session.set_with_expiration("goes", json!(2), Expiration::Transient)?;
        let window = session.namespace("window");
        window.set("any", json!(3))?;
        window.set_expiration(Expiration::Transient)?;
        let other = session.namespace("other");
        other.set("stays", json!(4))?;
        other.set_with_expiration("goes", json!(5), Expiration::Transient)?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    Ok(session.enter(Visit::new(), work).await?.output)
}

/// Returns the names that a visit sees.
fn visible(fixture: &Fixture) -> Result<Vec<String>, SessionError> {
    let mut visible = fixture.session.keys()?;
    for namespace in ["window", "other"] {
        let names = fixture.session.namespace(namespace).keys()?;
        visible.extend(names.iter().map(|name| format!("{namespace}.{name}")));
    }
    Ok(visible)
}

const ALL: [&str; 5] = ["stays", "goes", "window.any", "other.stays", "other.goes"];
const LASTING: [&str; 2] = ["stays", "other.stays"];

fn restarted(id: &SessionId) -> Visit {
    Visit::from(id.clone()).browser_restarted(true)
}

#[tokio::test(start_paused = true)]
async fn transient_data_lives_as_long_as_the_window_is_open() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = mixed(&fixture).await?;
    pass(1_000 * HOUR).await;
    for _ in 0..2 {
        let check = async {
            fixture.session.start_readonly().await?;
            visible(&fixture)
        };
        assert_eq!(fixture.visit(id.clone(), check).await?, ALL);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_read_after_a_restart_removes_only_transient_data() -> Result<(), SessionError> {
    let fixture = fixture();
    let id = mixed(&fixture).await?;
    let check = async {
        fixture.session.start_readonly().await?;
        visible(&fixture)
    };
    assert_eq!(fixture.visit(restarted(&id), check).await?, LASTING);
    let check = async {
        fixture.session.start_readonly().await?;
        visible(&fixture)
    };
    assert_eq!(fixture.visit(id, check).await?, LASTING);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_write_after_a_restart_removes_only_transient_data() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = mixed(&fixture).await?;
    session
        .enter(restarted(&id), async {
            assert_eq!(visible(&fixture)?, LASTING);
            Ok::<_, SessionError>(())
        })
        .await?;
    session
        .enter(id.into(), async {
            assert_eq!(visible(&fixture)?, LASTING);
            Ok(())
        })
        .await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn transient_data_set_after_a_restart_is_kept() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = mixed(&fixture).await?;
    let set = async {
        session.set_with_expiration("goes", json!("new"), Expiration::Transient)?;
        let window = session.namespace("window");
        window.set_expiration(Expiration::Transient)?;
        window.set("any", json!("new"))
    };
    session.enter(restarted(&id), set).await?;
    session
        .enter(id.into(), async {
            assert_eq!(session.get("goes")?, Some(json!("new")));
            assert_eq!(session.namespace("window").get("any")?, Some(json!("new")));
            assert_eq!(session.namespace("other").keys()?, ["stays"]);
            Ok(())
        })
        .await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn transient_data_set_meanwhile_by_other_visits_is_kept() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("stays", json!(1))]).await;
    fixture
        .visit(restarted(&id), async {
            session.start_readonly().await?;
            // A parallel visit from the new window sets something transient.
            let other = fixture.other_session();
            other
                .enter(id.clone().into(), async {
                    other.set_with_expiration("theirs", json!(2), Expiration::Transient)
                })
                .await?;
            let set = async || session.set_with_expiration("ours", json!(3), Expiration::Transient);
            session.transaction_exclusive(set).await
        })
        .await?;
    let all = values([("stays", json!(1)), ("theirs", json!(2)), ("ours", json!(3))]);
    assert_eq!(fixture.shown(&id).await, Some(all));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transient_session_ends_as_a_whole_after_a_restart() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    for lock in [false, true] {
        let id = fixture.stored_as(Expiration::Transient, [("user", json!(7))]).await;
        fixture
            .visit(restarted(&id), async {
                if lock {
                    session.start().await?;
                } else {
                    session.start_readonly().await?;
                }
                assert_eq!(session.get("user")?, None);
                assert!(!session.exists());
                Ok(())
            })
            .await?;
        assert_eq!(fixture.record(&id).await, None);
    }
    let id = fixture.stored_as(Expiration::Transient, []).await;
    let strict = Visit::attach(id).browser_restarted(true);
    assert_fails!(
        fixture.visit(strict, async { session.start().await }).await,
        SessionError::Unknown
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn or_transient_ends_with_the_sliding_or_the_browser_window() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let either = Expiration::sliding(MINUTE).or_transient();

    let id = fixture.stored_as(either, [("user", json!(7))]).await;
    pass(MINUTE).await;
    assert_eq!(fixture.record(&id).await, None);

    let id = fixture.stored_as(either, [("user", json!(7))]).await;
    pass(MINUTE - ms(1)).await;
    let check = async {
        session.start_readonly().await?;
        session.get("user")
    };
    assert_eq!(fixture.visit(restarted(&id), check).await?, None);
    assert_eq!(fixture.record(&id).await, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn transient_data_that_cannot_be_removed_yet_is_hidden_for_the_whole_visit() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = mixed(&fixture).await?;
    let visit = fixture.visit(restarted(&id), async {
        fixture
            .while_locked(&id, async {
                session.start_readonly().await?;
                assert_eq!(visible(&fixture)?, LASTING);
                Ok::<_, SessionError>(())
            })
            .await?;
        session.start().await?;
        assert_eq!(visible(&fixture)?, LASTING);
        session.set("more", json!(6))?;
        session.release().await?;
        assert_eq!(visible(&fixture)?, LASTING);
        session.start().await?;
        session.set("more", json!(6))?;
        session.close().await?;
        assert_eq!(visible(&fixture)?, ["stays", "more", "other.stays"]);
        Ok(())
    });
    visit.await?;
    assert_eq!(
        fixture.shown(&id).await,
        Some(values([("stays", json!(1)), ("more", json!(6))]))
    );
    Ok(())
}
