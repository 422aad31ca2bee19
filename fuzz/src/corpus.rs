//! The inputs that are kept, and how much memory an input may cost.
//!
//! The crates with a decoder of their own include this file in their tests.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// What a check may hold at one time whatever it is given, in bytes. The first sets up what all share.
const BASE: u64 = 256 * 1024;

/// What it may hold for each byte of the input. The checks keep several decoded copies, and a value of four bytes is
/// an entry of about a hundred.
const PER_BYTE: u64 = 512;

/// Checks one input, and that it takes memory in proportion to its length, whatever lengths are written in it.
///
/// # Panics
///
/// If something does not hold.
pub fn check(target: fn(&[u8]), input: &[u8]) {
    let most = allocation_counter::measure(|| target(input)).bytes_max;
    let length = input.len();
    assert!(
        most <= BASE + PER_BYTE * length as u64,
        "an input of {length} bytes cost {most} bytes of memory"
    );
}

/// Checks every input that is kept for a target.
///
/// # Panics
///
/// If something does not hold of one of them, or there is none.
pub fn replay(name: &str, target: fn(&[u8])) {
    let folder = folder().join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut inputs: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the inputs can be listed").path())
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "no inputs are kept in {}", folder.display());
    let fails = |path: &PathBuf| {
        let input = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        catch_unwind(AssertUnwindSafe(|| check(target, &input))).is_err()
    };
    let failed: Vec<PathBuf> = inputs.into_iter().filter(fails).collect();
    assert!(failed.is_empty(), "these inputs fail, as is said above: {failed:#?}");
}

/// Where the inputs of all targets are kept, seen from any crate of the workspace.
fn folder() -> PathBuf {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut above = crate_root.ancestors().map(|folder| folder.join("fuzz/corpus"));
    above
        .find(|folder| folder.is_dir())
        .expect("the folder fuzz/corpus stands in the root of the workspace")
}
