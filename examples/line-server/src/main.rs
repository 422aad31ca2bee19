//! A server without HTTP: sessions over a line protocol on TCP, which the README describes.

mod connection;
mod flags;
mod lines;
mod request;
mod requests;
mod server;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use sessile::{Expiration, MemoryStorage, Session};
use tokio::net::TcpListener;

use crate::flags::Flags;

#[tokio::main]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    let session = Session::builder(MemoryStorage::new())
        .default_expiration(Expiration::sliding(flags.session_idle))
        .lock_wait(flags.lock_wait)
        .build();
    let (listener, address) = match listen(flags.listen).await {
        Ok(listening) => listening,
        Err(error) => {
            eprintln!("error: cannot listen on {}: {error}", flags.listen);
            eprintln!("help: choose another address with --listen; port 0 takes any that is free");
            return ExitCode::FAILURE;
        }
    };
    println!("listening on {address}");
    server::run(listener, session, flags.idle, server::stop_signal()).await;
    ExitCode::SUCCESS
}

async fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
