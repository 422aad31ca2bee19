//! Being told to stop.

/// Done when somebody presses Ctrl-C, or SIGTERM arrives where there is such a thing.
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
            // Cannot be told this way; the process can still be killed.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}
