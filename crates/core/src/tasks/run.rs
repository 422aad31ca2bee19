//! Runs one task on one session.

use std::future::Future;
use std::sync::Arc;

use crate::error::SessionError;
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::telemetry;
use crate::visit::{ActiveVisit, Context, Handle, InSession, enclosing, locks_of};

/// Runs a task in the context of the session under this key: on the lock of a visit in which the current code runs, or
/// in a visit of its own. `bound` is the visit to which the caller's session is bound.
///
/// If the future is dropped, a task with a visit of its own has written everything or nothing, and leaves no lock.
pub(crate) async fn run<T, E, F>(
    settings: &Arc<Settings>,
    bound: Option<&Arc<Context>>,
    key: SessionKey,
    task: impl FnOnce() -> F,
) -> Result<T, E>
where
    E: From<SessionError>,
    F: Future<Output = Result<T, E>>,
{
    let outer = match bound {
        Some(context) => vec![Arc::clone(context)],
        None => enclosing(settings),
    };
    let key = match outer[..] {
        [] => key,
        _ => settings.current_key(key).await,
    };
    if let Some(context) = outer.iter().find(|context| context.is_writable_at(&key)) {
        // Waiting for the lock would be waiting for the caller.
        let handle = Handle(Arc::clone(context));
        return async { task().await }.in_session(&handle).await;
    }
    if bound.is_some() {
        // Inside the task the bound session would still mean its own visit.
        return Err(SessionError::AlreadyInitialised.into());
    }
    let context = Context::of_task(settings, key);
    let visit = ActiveVisit::of(&context);
    let work = async {
        start(&context, key, &outer).await?;
        let output = task().await?;
        context.close().await?;
        Ok(output)
    };
    let (visit, result) = visit.work(|| work).await;
    if visit.end_immediately(false).is_none() {
        // The result counts even if the release fails; the lease frees the lock.
        let _ = Box::pin(visit.end(false)).await;
    }
    telemetry::task_ended(result.is_ok());
    result
}

/// Starts the visit of a task, unless that would wait for a task that waits for one of the outer visits.
async fn start(context: &Arc<Context>, key: SessionKey, outer: &[Arc<Context>]) -> Result<(), SessionError> {
    let held = locks_of(outer);
    let _waiting = match held[..] {
        [] => None,
        _ => {
            let waiting = context.settings.wait_graph.wait(held, key);
            Some(waiting.ok_or(SessionError::WouldDeadlock)?)
        }
    };
    context.start_task().await
}
