//! Test support: runtimes that shut down during a call.

use std::future::pending;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use tokio::runtime::Builder;

/// The time limit of steps that should not block.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// Runs a call in a runtime that has begun to shut down, and that drops each new task at once. Fails if the call is not
/// dropped.
#[track_caller]
pub(super) fn in_a_runtime_that_shuts_down(call: impl Future<Output = ()> + Send + 'static) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let ((begins, has_begun), (ends, has_ended)) = (channel::<()>(), channel::<()>());
    let (over, is_over) = channel::<()>();
    // A runtime accepts no more tasks once it drops the existing ones.
    runtime.spawn(async move {
        let _ends = ends;
        pending::<()>().await;
    });
    runtime.spawn(async move {
        let _over = over;
        drop(begins);
        let _ = has_ended.recv();
        call.await;
    });
    let _ = has_begun.recv();
    runtime.shutdown_background();
    let outcome = is_over.recv_timeout(SOON);
    assert_eq!(
        outcome,
        Err(RecvTimeoutError::Disconnected),
        "it goes on, and its runtime does not end"
    );
}
