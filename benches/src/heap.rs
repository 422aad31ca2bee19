//! Counting what is allocated: in a program of its own, since counting takes time.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Failure;

/// What the allocator has done so far.
#[derive(Debug, Clone, Copy)]
pub struct Heap {
    /// How many allocations there were; growing one counts as another.
    pub allocations: usize,
    /// How many bytes they were.
    pub allocated: usize,
    /// How many bytes have been given back.
    pub freed: usize,
}

/// Asks the allocator.
pub type Counter = fn() -> Heap;

impl Heap {
    /// The bytes in use.
    pub(crate) fn live(self) -> usize {
        self.allocated - self.freed
    }
}

/// A run of the program that counts, with these arguments, for what it prints.
pub(crate) fn counted(arguments: &[&str]) -> Result<Command, Failure> {
    let mut command = Command::new(program()?);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit());
    Ok(command)
}

/// Has cargo bring the program that counts up to date, and says where it is: beside this one.
fn program() -> Result<PathBuf, Failure> {
    let here = std::env::current_exe().map_err(|error| format!("this program cannot find itself: {error}"))?;
    let program = here.with_file_name("counted");
    // Under `cargo run` there is a cargo, and the sources may be newer than the program.
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

/// What a program printed, once it has ended well.
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
