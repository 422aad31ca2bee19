//! The shop as a program.

mod flags;
mod stop;

use std::io::{self, IsTerminal};

use clap::Parser;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::flags::Flags;

#[tokio::main]
async fn main() -> io::Result<()> {
    let flags = Flags::parse();
    // What is logged, RUST_LOG says, for example RUST_LOG=sessile=debug,tower_http=debug.
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();

    let app = shop::app(&flags.settings()).map_err(io::Error::other)?;
    let listener = TcpListener::bind(flags.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    shop::serve(listener, app, stop::requested()).await
}
