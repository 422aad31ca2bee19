//! Building the fuzzer: ordinary code, and beside each branch a counter.

use std::path::PathBuf;
use std::process::Command;

use crate::Failure;
use crate::cargo::{cargo, root, step};
use crate::programs::{Missing, Program, ensure};

const COMPILER: Program = Program {
    name: "c++",
    apt: "g++",
    brew: None,
    purpose: "libFuzzer is written in C++. On macOS, `xcode-select --install` installs a compiler.",
};

/// The flags of the instrumented build. All of them are settings of LLVM, which stable Rust passes on.
const FLAGS: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// The fuzzer, built.
pub(super) struct Built {
    pub(super) program: PathBuf,
    /// The folder of its build, which also keeps the inputs it finds.
    pub(super) folder: PathBuf,
}

pub(super) fn build(missing: Missing) -> Result<Built, Failure> {
    ensure(&[&COMPILER], missing)?;
    let host = host()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    // Other flags make other builds: a folder of its own keeps the ordinary builds from being rebuilt.
    let folder = root().join(target).join("fuzz");
    let mut command = cargo("build");
    command
        .args([
            "--package",
            "sessile-fuzz",
            "--bin",
            "sessile-fuzz",
            "--profile",
            "fuzz",
        ])
        // With a named target, build scripts and macros are built without the flags.
        .args(["--target", &host])
        .arg("--target-dir")
        .arg(&folder)
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
    step("building the fuzzer", &mut command)?;
    let program = folder.join(host).join("fuzz/sessile-fuzz");
    Ok(Built { program, folder })
}

/// Returns the platform this task runs on, in the words of the compiler.
fn host() -> Result<String, Failure> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc)
        .arg("-vV")
        .output()
        .map_err(|error| format!("cannot run {}: {error}", rustc.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| format!("{} -vV does not say what platform this is", rustc.display()))
}
