//! `cargo xtask package`: the packages as users get them.
//!
//! Cargo builds each package from its archive. Then the archives are unpacked beside each other, as a workspace of
//! their own, and run their unit tests and the examples of their documentation. A file that is missing in an archive is
//! found that way. They need no server: the tests that start one are not in the packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::cargo::{cargo, root, step, test_step};

/// Packages whose examples cannot be built from their archives. They need a crate that depends on them: Cargo leaves
/// such a dependency out of the archive, as neither of the two could be published first.
const WITHOUT_EXAMPLES: [&str; 3] = ["sessile-core", "sessile-macros", "sessile-memoized"];

pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    if let [other, ..] = arguments {
        return Err(format!("{other} is not an option of this task"));
    }
    let packages = published()?;
    let options = |packages: &[String]| {
        packages
            .iter()
            .map(|name| format!("--package={name}"))
            .collect::<Vec<_>>()
    };
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let target = root().join(target);
    let archives = target.join("package");
    // Archives of earlier versions would be unpacked too.
    remove(&archives)?;
    // The tree of a change is packaged before it is committed.
    step(
        "packaging, and building each package from its archive",
        cargo("package").arg("--allow-dirty").args(options(&packages)),
    )?;
    let unpacked = target.join("unpacked");
    unpack(&archives, &unpacked, &packages)?;
    let test = |title: &str, kind: &str, packages: &[String]| {
        let mut command = cargo_in(&unpacked);
        command
            .args(["test", "--all-features", "--no-fail-fast", kind])
            .args(options(packages));
        test_step(title, &mut command)
    };
    test("unit tests of the packages", "--lib", &packages)?;
    let with_examples: Vec<String> = packages
        .iter()
        .filter(|name| !WITHOUT_EXAMPLES.contains(&name.as_str()))
        .cloned()
        .collect();
    test("examples in the documentation of the packages", "--doc", &with_examples)
}

/// Returns the names of the packages in `crates` that are published.
fn published() -> Result<Vec<String>, Failure> {
    let folder = root().join("crates");
    let failed = |error| format!("cannot list {}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let manifest = entry.map_err(failed)?.path().join("Cargo.toml");
        let Ok(text) = fs::read_to_string(&manifest) else {
            continue;
        };
        let mut lines = text.lines();
        if lines.clone().any(|line| line.trim() == "publish = false") {
            continue;
        }
        let name = lines.find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
        names.extend(name.map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Unpacks the archives into one workspace, in which the packages use each other instead of released ones.
fn unpack(archives: &Path, workspace: &Path, packages: &[String]) -> Result<(), Failure> {
    remove(workspace)?;
    let failed = |error: std::io::Error| format!("cannot prepare {}: {error}", workspace.display());
    fs::create_dir_all(workspace).map_err(failed)?;
    let mut patches = String::new();
    for entry in fs::read_dir(archives).map_err(failed)?.flatten() {
        let archive = entry.path();
        if archive.extension().is_none_or(|extension| extension != "crate") {
            continue;
        }
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(&archive).arg("-C").arg(workspace);
        step(&format!("unpacking {}", archive.display()), &mut tar)?;
        let stem = archive.file_stem().unwrap_or_default().to_string_lossy();
        // `NAME-VERSION`, and a version has no hyphen before its first dot.
        let package = packages.iter().filter(|name| stem.starts_with(&format!("{name}-")));
        if let Some(name) = package.max_by_key(|name| name.len()) {
            patches += &format!("{name} = {{ path = \"{stem}\" }}\n");
        }
    }
    let manifest = format!("[workspace]\nresolver = \"3\"\nmembers = [\"*-*\"]\n\n[patch.crates-io]\n{patches}");
    fs::write(workspace.join("Cargo.toml"), manifest).map_err(failed)?;
    // The versions of the repository's lock file: those that all other tests run with.
    fs::copy(root().join("Cargo.lock"), workspace.join("Cargo.lock")).map_err(failed)?;
    Ok(())
}

fn cargo_in(workspace: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace);
    command
}

fn remove(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {error}", folder.display())),
        _ => Ok(()),
    }
}
