//! The program of the shop.

mod flags;
mod stop;

use std::error::Error;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use shop::StartError;
use tracing_subscriber::EnvFilter;

use crate::flags::Flags;

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {}", shop::explain(&*error));
    if let Some(error) = error.downcast_ref::<StartError>() {
        eprintln!("help: {}", error.help());
    }
    ExitCode::FAILURE
}

async fn run() -> Result<(), Box<dyn Error>> {
    let flags = Flags::parse();
    // RUST_LOG selects the events, for example RUST_LOG=sessile=debug,tower_http=debug.
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();

    let app = shop::app(&flags.settings()).await?;
    let listener = shop::listen(flags.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    shop::serve(listener, app, stop::requested()).await?;
    Ok(())
}
