//! Every public name of the crates behind `sessile` has one path in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[test]
fn every_name_has_one_path() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let exported = |name: &str| {
        let file = crates.join(name).join("src/lib.rs");
        names(&fs::read_to_string(file).expect("the crate has a root"))
    };
    let facade = exported("sessile");
    let twice: Vec<_> = facade.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let mut missing = Vec::new();
    for name in [
        "core", "document", "file", "memoized", "memory", "redb", "redis", "tower",
    ] {
        let names = exported(name);
        assert!(!names.is_empty(), "{name} exports names");
        missing.extend(names.into_keys().filter(|name| !facade.contains_key(name)));
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// Counts how often each name is exported by a `pub use` of this source.
fn names(source: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (_, rest) in source
        .match_indices("pub use ")
        .map(|(at, word)| (at, &source[at + word.len()..]))
    {
        let (path, _) = rest.split_once(';').expect("a use ends with a semicolon");
        let (_, list) = path.split_once('{').or_else(|| path.rsplit_once("::")).expect("a path");
        for name in list
            .trim_end_matches('}')
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    counts
}
