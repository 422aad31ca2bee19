//! A server without HTTP: sessions over a line protocol on TCP. The README has the protocol.

mod connection;
mod flags;
mod lines;
mod request;
mod requests;
mod server;

use clap::Parser;
use sessile::{Expiration, MemoryStorage, Session};
use tokio::net::TcpListener;

use crate::flags::Flags;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let flags = Flags::parse();
    let session = Session::builder(MemoryStorage::new())
        .default_expiration(Expiration::sliding(flags.session_idle))
        .lock_wait(flags.lock_wait)
        .build();
    let listener = TcpListener::bind(flags.listen).await?;
    println!("listening on {}", listener.local_addr()?);
    server::run(listener, session, flags.idle, server::told_to_stop()).await;
    Ok(())
}
