//! `cargo xtask fuzz`: generates input for every decoder of external data.
//!
//! The inputs in `fuzz/corpus` are part of the repository, and `cargo test` replays them. Inputs that a run finds are
//! kept in the build folder, and the next run starts with them.

mod build;
mod progress;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use crate::Failure;
use crate::cargo::root;
use crate::programs::Missing;

/// The seconds that a target is fuzzed by default.
const SECONDS: &str = "60";

pub(crate) fn run(arguments: &[&str], missing: Missing) -> Result<(), Failure> {
    let known = targets()?;
    let is_known = |name: &str| known.iter().any(|target| target == name);
    let unknown = |name: &str| Err(format!("{name} is no target; known: {}", known.join(", ")));
    match *arguments {
        [] => fuzz(&known, SECONDS, missing),
        ["--seconds", seconds] => fuzz(&known, seconds, missing),
        [target, ..] if !is_known(target) => unknown(target),
        [target] => fuzz(&[target.to_owned()], SECONDS, missing),
        [target, "--seconds", seconds] => fuzz(&[target.to_owned()], seconds, missing),
        [target, input] if !input.starts_with('-') => replay(target, Path::new(input), missing),
        _ => Err("usage: cargo xtask fuzz [TARGET] [--seconds N], or cargo xtask fuzz TARGET FILE".to_owned()),
    }
}

/// Returns the names of all targets: each has a folder of inputs.
fn targets() -> Result<Vec<String>, Failure> {
    let folder = root().join("fuzz/corpus");
    let failed = |error| format!("cannot list {}: {error}", folder.display());
    let mut names = fs::read_dir(&folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    names.sort();
    Ok(names)
}

fn fuzz(targets: &[String], seconds: &str, missing: Missing) -> Result<(), Failure> {
    if !seconds.parse::<u32>().is_ok_and(|number| number > 0) {
        return Err("--seconds takes a number".to_owned());
    }
    let built = build::build(missing)?;
    // The other targets run even if one fails.
    let failures: Vec<Failure> = targets
        .iter()
        .filter_map(|target| search(&built, target, seconds).err())
        .collect();
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("\n"))
    }
}

fn search(built: &build::Built, target: &str, seconds: &str) -> Result<(), Failure> {
    println!("\n==> fuzzing {target} for {seconds} s");
    let found = built.folder.join("corpus").join(target);
    let failed = built.folder.join("failed").join(target);
    for folder in [&found, &failed] {
        fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    }
    let began = SystemTime::now();
    let scratch = Scratch::new()?;
    let mut command = command(built, target, &scratch);
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", failed.display()))
        // The first folder receives the inputs that the fuzzer finds.
        .args([&found, &root().join("fuzz/corpus").join(target)])
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| format!("cannot start the fuzzer: {error}"))?;
    if let Some(output) = child.stderr.take() {
        progress::show(output);
    }
    let status = child.wait().map_err(|error| format!("the fuzzer is lost: {error}"))?;
    if status.success() {
        return Ok(());
    }
    Err(match newest(&failed, began) {
        Some(input) => format!(
            "\n==> {target} fails on {input}\n    try it again:  cargo xtask fuzz {target} {input}\n    once mended:   \
             keep it under a telling name in fuzz/corpus/{target}, where cargo test replays it",
            input = input.display()
        ),
        None => format!("\n==> {target}: the fuzzer failed ({status})"),
    })
}

fn replay(target: &str, input: &Path, missing: Missing) -> Result<(), Failure> {
    let built = build::build(missing)?;
    // The path is relative to the folder in which the task was started, and the fuzzer may run elsewhere.
    let input = std::path::absolute(input).map_err(|error| format!("{}: {error}", input.display()))?;
    let scratch = Scratch::new()?;
    let status = command(&built, target, &scratch).arg(&input).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("\n==> {target} fails on {}", input.display())),
        Err(error) => Err(format!("cannot start the fuzzer: {error}")),
    }
}

fn command(built: &build::Built, target: &str, scratch: &Scratch) -> Command {
    let mut command = Command::new(&built.program);
    command.env("FUZZ_TARGET", target).env("TMPDIR", &scratch.0);
    // An input that takes ten seconds is a hang. The target itself bounds the memory of an input.
    command.args(["-timeout=10", "-rss_limit_mb=1024", "-max_len=4096"]);
    command
}

/// A folder for the files of a fuzzer. It is removed when dropped: a fuzzer that is killed removes nothing.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        // Files in memory are several times as fast as files on a disk.
        let memory = PathBuf::from("/dev/shm");
        let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let folder = parent.join(format!("sessile-fuzz-task-{}", std::process::id()));
        match fs::create_dir_all(&folder) {
            Ok(()) => Ok(Self(folder)),
            Err(error) => Err(format!("cannot make {}: {error}", folder.display())),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns the newest file in a folder that is not older than `since`.
fn newest(folder: &Path, since: SystemTime) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?.flatten();
    let dated = files.filter_map(|file| Some((file.metadata().ok()?.modified().ok()?, file.path())));
    dated.filter(|(date, _)| *date >= since).max().map(|(_, path)| path)
}
