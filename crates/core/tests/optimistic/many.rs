//! Many concurrent transactions of one session on many threads: none is lost.

use serde_json::json;
use sessile_core::{InSession, Session, SessionError, SessionId, Visit};
use sessile_memory::MemoryStorage;

use crate::add;
use crate::common::secs;

const TASKS: u64 = 8;
const UPDATES: u64 = 25;

fn session() -> Session {
    Session::builder(MemoryStorage::new()).lock_wait(secs(60)).build()
}

async fn stored(session: &Session) -> Result<SessionId, SessionError> {
    let work = async {
        session.set("count", json!(0))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    Ok(session.enter(Visit::new(), work).await?.output)
}

async fn count(session: &Session, id: SessionId) -> Result<Option<serde_json::Value>, SessionError> {
    let work = async {
        session.start_readonly().await?;
        session.get("count")
    };
    session.init(id.into(), work).await?
}

/// Increments the count by one of several calls, selected by `way`.
async fn write(session: &Session, way: u64) -> Result<(), SessionError> {
    let transaction = async || {
        add(session, "before")?;
        tokio::task::yield_now().await;
        add(session, "count")
    };
    match way {
        0 => session.transaction(transaction).await,
        1 => session.transaction_exclusive(transaction).await,
        _ => {
            session.start().await?;
            add(session, "count")?;
            session.close().await
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_visits_lose_no_update() -> Result<(), SessionError> {
    for ways in 1..=3 {
        let session = session();
        let id = stored(&session).await?;
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (session, id) = (session.clone(), id.clone());
                tokio::spawn(async move {
                    for run in 0..UPDATES {
                        let work = write(&session, (task + run) % ways);
                        session.init(id.clone().into(), work).await??;
                    }
                    Ok::<_, SessionError>(())
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("it ends")?;
        }
        assert_eq!(count(&session, id).await?, Some(json!(TASKS * UPDATES)), "{ways} ways");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_of_one_visit_lose_no_update() -> Result<(), SessionError> {
    for ways in 1..=2 {
        let session = session();
        let id = stored(&session).await?;
        let visit = session.open(id.clone().into());
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let inside = session.clone();
                let work = async move {
                    for run in 0..UPDATES {
                        write(&inside, (task + run) % ways).await?;
                    }
                    Ok::<_, SessionError>(())
                };
                tokio::spawn(work.in_session(visit.handle()))
            })
            .collect();
        for task in tasks {
            task.await.expect("it ends")?;
        }
        visit.end(true).await.result?;
        assert_eq!(count(&session, id).await?, Some(json!(TASKS * UPDATES)), "{ways} ways");
    }
    Ok(())
}
