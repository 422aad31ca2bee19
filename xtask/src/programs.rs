//! Programs that a task needs, and how to come by them.

use std::process::{Command, Stdio};

use crate::Failure;
use crate::cargo::step;

/// Programs, each with the package of Debian that brings it.
pub(crate) struct Programs {
    pub(crate) needed: &'static [(&'static str, &'static str)],
    /// What is to be done by hand if they cannot be installed, and what they are for.
    pub(crate) advice: &'static str,
}

impl Programs {
    /// Finds the programs or, on Debian and its kin, installs them.
    pub(crate) fn ensure(&self) -> Result<(), Failure> {
        let are_there = || self.needed.iter().all(|(program, _)| answers(program));
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
        let mut install = vec!["install", "--yes", "--no-install-recommends"];
        install.extend(self.needed.iter().map(|(_, package)| package));
        apt(&["update"])
            .and_then(|()| apt(&install))
            .map_err(|failure| self.missing(&failure))?;
        if are_there() {
            Ok(())
        } else {
            Err(self.missing("they were installed, but are not to be found"))
        }
    }

    fn missing(&self, reason: &str) -> Failure {
        let names: Vec<&str> = self.needed.iter().map(|(program, _)| *program).collect();
        format!("needed on the PATH: {}: {reason}.\n{}", names.join(", "), self.advice)
    }
}

/// Whether there is such a program.
fn answers(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
