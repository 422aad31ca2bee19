//! `cargo xtask test-document`: the engine of documents against the public client's own parts, and the public suite of
//! JSON Patch, both from npm.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::Failure;
use crate::cargo::{cargo, root, step};
use crate::programs::{Missing, Program, ensure};

const NODE: Program = Program {
    name: "node",
    apt: "nodejs",
    brew: Some("node"),
    purpose: "it runs the client's own parts.",
};

const NPM: Program = Program {
    name: "npm",
    apt: "npm",
    brew: Some("node"),
    purpose: "it fetches the suite and the client's own parts.",
};

/// The packages, at the versions that the engine is tested with.
const PACKAGES: &[&str] = &[
    "fast-json-patch@3.1.1",
    "json-patch-ot@1.0.1",
    "json-patch-ot-agent@1.1.2",
    "json-patch-queue@2.0.1",
    "json-patch-test-suite@1.1.0",
];

/// The number of random schedules by default, and with `--short`.
const SCHEDULES: (&str, &str) = ("10000", "300");

/// Runs the suite and the schedules; with `--seed N`, the schedules from that seed on.
pub(crate) fn run(arguments: &[&str], missing: Missing) -> Result<(), Failure> {
    let (schedules, seed) = match arguments {
        [] => (SCHEDULES.0, None),
        ["--short"] => (SCHEDULES.1, None),
        ["--seed", seed] => (SCHEDULES.0, Some(seed)),
        ["--short", "--seed", seed] => (SCHEDULES.1, Some(seed)),
        _ => return Err("usage: cargo xtask test-document [--short] [--seed N]".to_owned()),
    };
    ensure(&[&NODE, &NPM], missing)?;
    let modules = install()?;
    let mut build = cargo("build");
    build.args(["--package", "sessile-document", "--example", "pipe"]);
    step("the engine over a pipe", &mut build)?;
    let program = target().join("debug/examples/pipe");
    let node = |script: &str| {
        let mut command = Command::new("node");
        command.env("NODE_PATH", &modules);
        command.arg(root().join("crates/document/tests/node").join(script));
        command.arg(&program);
        command
    };
    step("the public suite of JSON Patch", &mut node("suite.cjs"))?;
    let mut convergence = node("convergence.cjs");
    convergence.arg(schedules).args(seed);
    step("the client's own parts against the engine", &mut convergence)
}

/// Installs the packages below the target folder, and returns the folder that they are in.
fn install() -> Result<PathBuf, Failure> {
    let folder = target().join("document-npm");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--no-save",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
    ]);
    npm.arg(&folder).args(PACKAGES);
    step("packages from npm", &mut npm)?;
    Ok(folder.join("node_modules"))
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
