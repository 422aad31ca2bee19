//! A task on every session.

use std::future::Future;
use std::sync::Arc;

use futures_core::Stream;

use crate::error::SessionError;
use crate::settings::Settings;
use crate::tasks::pool::{TaskResult, run_in_keys};
use crate::tasks::progress::TaskProgress;
use crate::tasks::scan::ScannedKeys;
use crate::tasks::stream::TaskStream;
use crate::visit::Context as VisitContext;

/// Returns the results of a task on all sessions.
pub(crate) fn run_in_all<T, R, F>(
    settings: Arc<Settings>,
    bound: Option<Arc<VisitContext>>,
    task: R,
) -> TaskStream<impl Stream<Item = Result<TaskResult<T>, SessionError>> + use<T, R, F>>
where
    R: Fn() -> F,
    F: Future<Output = Result<T, SessionError>>,
{
    let progress = TaskProgress::new();
    let keys = ScannedKeys::new(&settings);
    TaskStream::new(run_in_keys(settings, bound, keys, task, progress.clone()), progress)
}
