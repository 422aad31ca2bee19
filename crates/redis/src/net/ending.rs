//! Runtimes that end while a call is under way in them.

use std::future::pending;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use tokio::runtime::Builder;

/// How long anything may take that does not wait.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// Begins a call when its runtime has begun to end, and drops each task that is spawned at once. Fails if the call is not
/// dropped then.
#[track_caller]
pub(super) fn in_a_runtime_that_ends(call: impl Future<Output = ()> + Send + 'static) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let ((begins, has_begun), (ends, has_ended)) = (channel::<()>(), channel::<()>());
    let (over, is_over) = channel::<()>();
    // The runtime takes no more tasks when it drops those that there are.
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
