//! Counts allocations, in a separate program because counting takes time.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Failure;

/// The totals of the allocator.
#[derive(Debug, Clone, Copy)]
pub struct Heap {
    /// The number of allocations; a reallocation counts as another one.
    pub allocations: usize,
    /// The number of bytes allocated.
    pub allocated: usize,
    /// The number of bytes freed.
    pub freed: usize,
}

/// Reads the totals of the allocator.
pub type Counter = fn() -> Heap;

impl Heap {
    /// Returns the number of bytes in use.
    pub(crate) fn live(self) -> usize {
        self.allocated - self.freed
    }
}

/// Returns a command that runs the counting program with these arguments and captures its output.
pub(crate) fn counted(arguments: &[&str]) -> Result<Command, Failure> {
    let mut command = Command::new(program()?);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit());
    Ok(command)
}

/// Lets cargo rebuild the counting program, and returns its path, which is beside this program.
fn program() -> Result<PathBuf, Failure> {
    let here = std::env::current_exe().map_err(|error| format!("the path of this program is unknown: {error}"))?;
    let program = here.with_file_name("counted");
    // `cargo run` sets the path of cargo, and the sources may be newer than the program.
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "sessile-benches",
            "--bin",
            "counted",
        ]);
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        if let Some(target) = here.ancestors().nth(2) {
            build.arg("--target-dir").arg(target);
        }
        let status = build
            .status()
            .map_err(|error| format!("cargo cannot be run: {error}"))?;
        if !status.success() {
            return Err(format!("the program that counts could not be built ({status})"));
        }
    }
    if program.exists() {
        Ok(program)
    } else {
        Err(format!(
            "there is no {}: build all of sessile-benches",
            program.display()
        ))
    }
}

/// Returns the output of a program, if it succeeds.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let name = command.get_program().to_owned();
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{name:?} cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name:?} failed ({})", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{name:?}: {error}"))
}
