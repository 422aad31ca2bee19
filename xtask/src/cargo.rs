//! Running cargo, with a line on what is going on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::Failure;

/// A cargo command in the root of the workspace, with the versions of `Cargo.lock`.
pub(crate) fn cargo(subcommand: &str) -> Command {
    // The cargo that runs this task, so that its toolchain is used for the rest too.
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root());
    command.args([subcommand, "--locked"]);
    command
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// Runs a step, and says what it is and how long it took.
pub(crate) fn step(title: &str, command: &mut Command) -> Result<(), Failure> {
    println!("\n==> {title}");
    let began = Instant::now();
    let status = command
        .status()
        .map_err(|error| format!("cannot run {:?}: {error}", command.get_program()))?;
    if !status.success() {
        return Err(format!("\n==> {title}: failed ({status})"));
    }
    println!("==> {title}: done in {:.0?}", began.elapsed());
    Ok(())
}
