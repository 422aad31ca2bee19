//! Programs that tasks need beside those of Rust: found, or installed where Debian's packages are at hand.

use std::process::{Command, Stdio};

use crate::Failure;
use crate::cargo::step;

/// Programs, and what they are needed for.
pub(crate) struct Programs {
    /// Each is in a package of its name.
    pub(crate) names: &'static [&'static str],
    /// Said when they cannot be had: what needs them, and how else to get them.
    pub(crate) needed: &'static str,
}

impl Programs {
    /// Finds the programs or, on Debian and its kin, installs them.
    pub(crate) fn ensure(&self) -> Result<(), Failure> {
        let are_there = || self.names.iter().copied().all(answers);
        if are_there() {
            return Ok(());
        }
        if !answers("apt-get") {
            return Err(self.missing("there is no apt-get to install them with"));
        }
        let apt = |arguments: &[&str]| {
            let mut command = Command::new("apt-get");
            command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
            step(&format!("apt-get {}", arguments.join(" ")), &mut command)
        };
        apt(&["update"])
            .and_then(|()| apt(&[&["install", "--yes", "--no-install-recommends"], self.names].concat()))
            .map_err(|failure| self.missing(&failure))?;
        if are_there() {
            Ok(())
        } else {
            Err(self.missing("they were installed, but are not to be found"))
        }
    }

    fn missing(&self, reason: &str) -> Failure {
        format!(
            "{}: {reason}.\nInstall them, on Debian with `sudo apt-get install {}`, on macOS with brew.",
            self.needed,
            self.names.join(" ")
        )
    }
}

/// Whether there is such a program.
fn answers(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
