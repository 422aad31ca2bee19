//! Wrappers and plain functions: a wrapper that forwards the plain functions lets callers bypass its purpose, so the
//! table below decides for each wrapper.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Exponential, IntoStorage, NullStorage, Retry, Storage, Timeout};
use sessile_memory::MemoryStorage;
use sessile_testkit::history::{Recorder, Recording};
use sessile_testkit::{Counting, Faulty, Slow};

/// The wrappers, and whether each forwards the plain functions of the wrapped storage.
const DECIDED: [(&str, bool); 9] = [
    // Its functions would not be repeated.
    ("Retry", false),
    // They would not be cut short; they never wait, but what is beneath might be exchanged.
    ("Timeout", false),
    // They would be missing from traces and metrics.
    ("Traced", false),
    ("Metered", false),
    // They would bypass the cache.
    ("MemoizedStorage", false),
    // They would neither be delayed, nor fail, nor be counted or written down.
    ("Slow", false),
    ("Faulty", false),
    ("Counting", false),
    ("Recording", false),
];

/// The source of the storage that all implementations of `Intercept` share.
const INTERCEPT: &str = include_str!("../../src/wrappers/intercept.rs");

/// Finds the wrappers in the sources of all crates: implementations of `Storage` or `Intercept` that are generic over a
/// `Storage`.
fn wrappers(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            wrappers(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for line in text
                .lines()
                .filter(|line| line.starts_with("impl<") && line.contains(" for "))
            {
                let (generics, implemented) = line.split_once("> ").unwrap();
                let (source, name) = match implemented.split_once(" for ").unwrap() {
                    ("Storage", name) => (text.as_str(), name),
                    ("Intercept", name) => (INTERCEPT, name),
                    _ => continue,
                };
                let name = name.split(['<', ' ']).next().unwrap();
                if generics.contains("Storage") {
                    found.insert(name.to_owned(), source.to_owned());
                }
            }
        }
    }
}

#[test]
fn the_table_lists_every_wrapper() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(crates).unwrap() {
        wrappers(&entry.unwrap().path().join("src"), &mut found);
    }
    let decided: BTreeMap<_, _> = DECIDED.into();
    let names: Vec<_> = found.keys().map(String::as_str).collect();
    let known: Vec<_> = decided.keys().copied().collect();
    assert_eq!(
        names, known,
        "a wrapper is new, or gone: is it decided whether it answers at once?"
    );
    for (name, text) in &found {
        let (_, body) = text
            .split_once("fn immediate(&self) -> Option<&dyn ImmediateStorage> {")
            .unwrap();
        let body = body.split_once('}').unwrap().0.trim();
        assert_eq!(
            body != "None",
            decided[name.as_str()],
            "{name} answers at once by `{body}`"
        );
    }
}

/// Wraps the storage in each wrapper that can be created here.
fn wrapped(memory: &MemoryStorage) -> Vec<(&'static str, Arc<dyn Storage>)> {
    #[cfg_attr(not(all(feature = "tracing", feature = "metrics")), allow(unused_mut))]
    let mut wrapped: Vec<(&'static str, Arc<dyn Storage>)> = vec![
        ("Retry", Arc::new(Retry::new(memory.clone(), Exponential::default()))),
        (
            "Timeout",
            Arc::new(Timeout::new(memory.clone(), Duration::from_secs(5))),
        ),
        ("Slow", Arc::new(Slow::new(memory.clone()))),
        ("Faulty", Arc::new(Faulty::new(memory.clone()))),
        ("Counting", Arc::new(Counting::new(memory.clone()))),
        (
            "Recording",
            Arc::new(Recording::new(memory.clone(), Recorder::new(), 1)),
        ),
    ];
    #[cfg(feature = "tracing")]
    wrapped.push(("Traced", Arc::new(sessile_core::Traced::new(memory.clone()))));
    #[cfg(feature = "metrics")]
    wrapped.push(("Metered", Arc::new(sessile_core::Metered::new(memory.clone()))));
    wrapped
}

#[test]
fn wrappers_do_what_the_table_says() {
    let memory = MemoryStorage::new();
    let decided: BTreeMap<_, _> = DECIDED.into();
    for (name, storage) in wrapped(&memory) {
        assert_eq!(storage.immediate().is_some(), decided[name], "{name}");
        // An outer wrapper does not forward them either.
        let outer = Retry::shared(storage, Exponential::default());
        assert!(outer.immediate().is_none(), "{name}");
    }
    assert!(NullStorage.immediate().is_none());
}

/// Sharing a storage and erasing its type do not wrap it.
#[test]
fn a_shared_storage_keeps_its_plain_functions() {
    let memory = MemoryStorage::new();
    assert!(memory.immediate().is_some());
    let shared = Arc::new(memory.clone());
    let erased: Arc<dyn Storage> = Arc::new(memory.clone());
    for storage in [memory.into_storage(), shared.into_storage(), erased.into_storage()] {
        assert!(storage.immediate().is_some());
    }
}
