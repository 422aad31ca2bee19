//! A session that lives across runs of a program: each run is one visit.

mod flags;
mod guest;
mod wallet;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use custom_storage::RedbStore;
use sessile_core::{Expiration, LocalLocks, MINUTE, Paired, Session, Storage};

use crate::flags::Flags;
use crate::guest::Guest;
use crate::wallet::Wallet;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Flags::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: &Flags) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(&flags.folder)?;
    let database = flags.folder.join("sessions.redb");
    let storage = Paired::new(RedbStore::open(&database)?, LocalLocks::new());
    println!("sessions are in {}", database.display());

    // What has expired is never returned, whether it is still stored or not. To get the room back is the application's
    // business; a server does this every minute or so, in a task of its own.
    let swept = storage.sweep(100).await?;
    println!("{} expired since the last run", swept.len());

    let session: Session = Session::builder(storage)
        .default_expiration(Expiration::sliding(10 * MINUTE))
        .build();
    let wallet = Wallet::in_folder(&flags.folder);
    if flags.leave {
        guest::leave(&session, wallet.id()?).await?;
        wallet.empty()?;
        println!("the session is over");
        return Ok(());
    }

    let Guest { id, visits } = guest::visit(&session, wallet.id()?).await?;
    wallet.put(&id)?;
    match visits {
        1 => println!("visit 1: this is a new session. Run this again within ten minutes"),
        _ => println!("visit {visits}: the session was here when this process began"),
    }
    Ok(())
}
