//! The source files of a crate.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::Failure;
use crate::cargo::root;

/// The texts of the files below `src`, by their paths from there, with `/` on every platform.
pub(super) type Sources = BTreeMap<String, String>;

/// Returns the names of the folders in `crates`.
pub(super) fn crates() -> Result<Vec<String>, Failure> {
    let folder = root().join("crates");
    let mut names: Vec<String> = entries(&folder)?;
    names.retain(|name| folder.join(name).join("src").is_dir());
    Ok(names)
}

/// Reads the Rust files of a crate in `crates`.
pub(super) fn read(name: &str) -> Result<Sources, Failure> {
    let mut sources = Sources::new();
    read_folder(&root().join("crates").join(name).join("src"), "", &mut sources)?;
    Ok(sources)
}

fn read_folder(folder: &Path, prefix: &str, sources: &mut Sources) -> Result<(), Failure> {
    for name in entries(folder)? {
        let path = folder.join(&name);
        if path.is_dir() {
            read_folder(&path, &format!("{prefix}{name}/"), sources)?;
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            sources.insert(format!("{prefix}{name}"), text);
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<String>, Failure> {
    let failed = |error| format!("cannot list {}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(failed)?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    names.sort();
    Ok(names)
}
