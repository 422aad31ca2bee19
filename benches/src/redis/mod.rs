//! One Redis server, asked by 64 tasks: the storage beside bare commands, whole servers beside each other,
//! and what they cost the server.

pub(crate) mod cost;
mod ledger;
mod load;
mod peers;
mod scripts;
mod wire;

use std::process::{Command, Stdio};

use crate::Failure;

/// How many tasks there are.
const TASKS: usize = 64;

pub(crate) fn run() -> Result<(), Failure> {
    ensure_server()?;
    wire::run()?;
    peers::run()?;
    cost::run()
}

/// The cost of requests to the server, alone.
pub(crate) fn run_cost() -> Result<(), Failure> {
    ensure_server()?;
    cost::run()
}

/// Servers are started here; without the program there is nothing to be measured.
pub(crate) fn ensure_server() -> Result<(), Failure> {
    let mut command = Command::new("redis-server");
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(
            "this needs redis-server (7.0 or later) on the PATH: on Debian, `apt-get install redis-server`".to_owned(),
        ),
    }
}
