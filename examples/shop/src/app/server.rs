//! Serves until a stop signal.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::{App, StartError};

/// The time for requests in flight after the stop signal: longer than any request takes.
const GRACE: Duration = Duration::from_secs(90);

/// The time for requests that are then cut off to release their locks.
const FAREWELL: Duration = Duration::from_secs(1);

/// Listens at this address.
///
/// # Errors
///
/// If the address cannot be bound.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| StartError::listen(address, error))
}

/// Serves until `stop` completes, and then finishes the requests in flight.
///
/// # Errors
///
/// If the listener fails.
pub async fn serve(
    listener: TcpListener,
    App { router, session }: App,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, stopped) = oneshot::channel();
    let stop = async move {
        stop.await;
        tracing::info!("stopping");
        let _ = stopping.send(());
    };
    let listener = listener.tap_io(|stream| {
        // Responses are small; waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
    });
    // With the address of its peer, each request tells which client logs in.
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let patience = async {
        // A server that fails sends no stop signal.
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(GRACE).await;
    };
    let served = tokio::select! {
        served = axum::serve(listener, service).with_graceful_shutdown(stop) => served,
        () = patience => {
            // Dropping a request releases its lock without writing.
            tracing::warn!("some clients did not finish in time");
            Ok(())
        }
    };
    // Releases locks that are still held, for which other processes would wait.
    session.drain(FAREWELL).await;
    served
}
