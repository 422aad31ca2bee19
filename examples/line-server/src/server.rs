//! The listener: accepts connections until it is told to stop, then lets them finish what they are doing.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sessile::Session;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::connection;
use crate::lines::Lines;

/// How many connections are served at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 1_024;

/// How long to wait when a connection cannot be accepted, as when the process is out of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` is done, and returns when the last connection has ended.
pub(crate) async fn run(listener: TcpListener, session: Session, idle: Duration, stop: impl Future<Output = ()>) {
    let (stopping, stopped) = watch::channel(false);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();

    let accept = async {
        loop {
            let place = Arc::clone(&places).acquire_owned().await;
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    eprintln!("cannot accept: {error}");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            // Answers are small, and each is waited for.
            let _ = stream.set_nodelay(true);
            let lines = Lines::new(stream, idle, stopped.clone());
            let session = session.clone();
            connections.spawn(async move {
                // A connection that breaks is no news.
                let _ = connection::serve(&session, lines).await;
                drop(place);
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

/// Ctrl-C, or SIGTERM where there is one.
pub(crate) async fn told_to_stop() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Cannot be told this way; the process can still be killed.
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
