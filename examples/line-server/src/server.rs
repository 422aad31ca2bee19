//! The listener: accepts connections until a stop signal, then waits for their current requests.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sessile::Session;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::connection;
use crate::lines::Lines;

/// The number of concurrent connections; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 1_024;

/// The pause after a failed accept, for example when the process has no free file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` completes, and returns when the last connection has ended.
pub(crate) async fn run(listener: TcpListener, session: Session, idle: Duration, stop: impl Future<Output = ()>) {
    let (stopping, stopped) = watch::channel(false);
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();

    let accept = async {
        loop {
            let permit = Arc::clone(&permits).acquire_owned().await;
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    eprintln!("cannot accept: {error}");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            // Replies are small, and the client waits for each.
            let _ = stream.set_nodelay(true);
            let lines = Lines::new(stream, idle, stopped.clone());
            let session = session.clone();
            connections.spawn(async move {
                // Ignores broken connections.
                let _ = connection::serve(&session, lines).await;
                drop(permit);
            });
            while connections.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        () = stop => {}
        () = accept => {}
    }
    drop(listener);
    let _ = stopping.send(true);
    while connections.join_next().await.is_some() {}
}

/// Completes at Ctrl-C or, on Unix, SIGTERM.
pub(crate) async fn stop_signal() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a signal handler, only killing the process stops it.
            std::future::pending::<()>().await;
        }
    };
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
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}
