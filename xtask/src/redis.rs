//! The tests of the Redis storage start servers and sentinels of their own, for which there have to be the programs.

use std::process::{Command, Stdio};

use crate::Failure;
use crate::cargo::step;

/// The programs, and the packages of Debian that bring them.
const PROGRAMS: [&str; 2] = ["redis-server", "redis-sentinel"];

/// Finds the programs or, on Debian and its kin, installs them.
pub(crate) fn ensure() -> Result<(), Failure> {
    let are_there = || PROGRAMS.into_iter().all(answers);
    if are_there() {
        return Ok(());
    }
    if !answers("apt-get") {
        return Err(missing("there is no apt-get to install them with"));
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        step(&format!("apt-get {}", arguments.join(" ")), &mut command)
    };
    let [server, sentinel] = PROGRAMS;
    apt(&["update"])
        .and_then(|()| apt(&["install", "--yes", "--no-install-recommends", server, sentinel]))
        .map_err(|failure| missing(&failure))?;
    if are_there() {
        Ok(())
    } else {
        Err(missing("they were installed, but are not to be found"))
    }
}

fn missing(reason: &str) -> Failure {
    format!(
        "the tests need redis-server and redis-sentinel (7.0 or later) on the PATH: {reason}.\n\
         Install them, on Debian with `sudo apt-get install redis-server redis-sentinel`, on macOS with `brew install \
         redis`."
    )
}

/// Whether there is such a program.
fn answers(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
