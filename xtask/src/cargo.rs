//! Runs cargo and other programs as steps with a title.

use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use crate::{Failure, failures};

/// Returns a cargo command in the root of the workspace, with the versions of `Cargo.lock`.
pub(crate) fn cargo(subcommand: &str) -> Command {
    // The cargo that runs this task, so that every step uses the same toolchain.
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root());
    command.args([subcommand, "--locked"]);
    command
}

/// Returns the root of the workspace.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Runs a step, and prints its title and its duration.
pub(crate) fn step(title: &str, command: &mut Command) -> Result<(), Failure> {
    timed(title, command, Command::status)
}

/// Runs a step that runs tests, and prints the output of failed tests again at its end.
pub(crate) fn test_step(title: &str, command: &mut Command) -> Result<(), Failure> {
    timed(title, command, |command| {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let kept = match child.stdout.take() {
            Some(output) => failures::pass_on(output, |line| println!("{line}"))?,
            None => Vec::new(),
        };
        let status = child.wait()?;
        failures::repeat(&kept);
        Ok(status)
    })
}

fn timed(
    title: &str,
    command: &mut Command,
    run: impl FnOnce(&mut Command) -> io::Result<ExitStatus>,
) -> Result<(), Failure> {
    println!("\n==> {title}");
    let began = Instant::now();
    let status = run(command).map_err(|error| format!("cannot run {:?}: {error}", command.get_program()))?;
    if !status.success() {
        return Err(format!("\n==> {title}: failed ({status})"));
    }
    println!("==> {title}: done in {:.0?}", began.elapsed());
    Ok(())
}
