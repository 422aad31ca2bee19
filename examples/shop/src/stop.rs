//! The stop signal.

/// Completes at Ctrl-C or, on Unix, SIGTERM.
pub(crate) async fn requested() {
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();

    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a signal handler, only killing the process stops it.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}
