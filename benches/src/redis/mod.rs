//! One Redis server and 64 tasks: the storage beside bare commands, whole servers beside each other, and the load on
//! the server.

pub(crate) mod cost;
mod ledger;
mod load;
mod peers;
mod scripts;
mod wire;

use std::process::{Command, Stdio};

use crate::Failure;

/// The number of tasks.
const TASKS: usize = 64;

pub(crate) fn run() -> Result<(), Failure> {
    ensure_server()?;
    wire::run()?;
    peers::run()?;
    cost::run()
}

/// Measures only the cost of requests to the server.
pub(crate) fn run_cost() -> Result<(), Failure> {
    ensure_server()?;
    cost::run()
}

/// Fails if the program is missing, because the measurements start their own servers.
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
