//! Serving, until told to stop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::{App, StartError};

/// How long requests in flight may take after the server was told to stop: longer than any can.
const GRACE: Duration = Duration::from_secs(90);

/// How long those that are cut off then may still take to give their locks back.
const FAREWELL: Duration = Duration::from_secs(1);

/// Takes connections at this address from now on.
///
/// # Errors
///
/// When the address cannot be had.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| StartError::listen(address, error))
}

/// Serves until `stop` is done, and then for as long as it takes to finish the requests in flight.
///
/// # Errors
///
/// Those of the listener.
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
        // Answers are small; waiting to fill a packet would only slow them down.
        let _ = stream.set_nodelay(true);
    });
    let patience = async {
        // A server that ends by itself never says that it stops.
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(GRACE).await;
    };
    let served = tokio::select! {
        served = axum::serve(listener, router).with_graceful_shutdown(stop) => served,
        () = patience => {
            // Dropping a request releases its lock and writes nothing.
            tracing::warn!("some clients did not finish in time");
            Ok(())
        }
    };
    // What is still held leaves no lock behind, for which other shops would wait.
    session.drain(FAREWELL).await;
    served
}
