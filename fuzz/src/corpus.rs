//! The corpus of inputs, and the memory that an input may cost.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// The bytes that a check may hold at one time for any input. The first check also sets up shared state.
const BASE: u64 = 256 * 1024;

/// The bytes that it may hold in addition for each byte of the input. The checks keep several decoded copies, and a
/// value of four bytes becomes an entry of about a hundred.
const PER_BYTE: u64 = 512;

/// Checks one input, and that it takes memory in proportion to its length, whatever lengths it claims.
///
/// # Panics
///
/// If a property does not hold.
pub fn check(target: fn(&[u8]), input: &[u8]) {
    let most = allocation_counter::measure(|| target(input)).bytes_max;
    let length = input.len();
    assert!(
        most <= BASE + PER_BYTE * length as u64,
        "an input of {length} bytes cost {most} bytes of memory"
    );
}

/// Checks every input in the corpus of a target.
///
/// # Panics
///
/// If a property does not hold of one of them, or the corpus is empty.
pub fn replay(name: &str, target: fn(&[u8])) {
    let folder = folder().join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut inputs: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the inputs can be listed").path())
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "there are no inputs in {}", folder.display());
    let fails = |path: &PathBuf| {
        let input = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        catch_unwind(AssertUnwindSafe(|| check(target, &input))).is_err()
    };
    let failed: Vec<PathBuf> = inputs.into_iter().filter(fails).collect();
    assert!(failed.is_empty(), "these inputs fail, see above: {failed:#?}");
}

/// Returns the folder with the corpora of all targets.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}
