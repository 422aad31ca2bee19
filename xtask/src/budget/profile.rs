//! `cargo xtask budget --profile SCENARIO`: the instructions of a request by parts of its work.
//!
//! Only functions that are not inlined have a name. A short function may count as a part of its caller.

use std::collections::BTreeMap;

/// The parts, each with substrings of the names of its functions. The first match counts.
const PARTS: &[(&str, &[&str])] = &[
    ("SHA-256 of the id", &["sha2::", "sessile_core::id::key"]),
    (
        "allocating and freeing",
        &[
            "malloc",
            ":free",
            "_int_free",
            "cfree",
            "realloc",
            "calloc",
            "__rdl_",
            "__rust_",
            "unlink_chunk",
        ],
    ),
    (
        "copying and comparing memory",
        &["memcpy", "memmove", "memcmp", "memset"],
    ),
    (
        "reading the clock",
        &["clock::", "clock_gettime", "unix::time", "time::SystemTime"],
    ),
    ("random bytes", &["getrandom", "entropy::"]),
    (
        "decoding and encoding the record",
        &["sessile_core::payload", "core::str::converts"],
    ),
    ("JSON of values", &["serde"]),
    (
        "the storage: locks, tables, expiry",
        &["sessile_memory", "hashbrown", "timer"],
    ),
    (
        "cookies and headers",
        &[
            "http::header",
            "sessile_tower::config",
            "sessile_tower::cookie",
            "sessile_tower::carriers",
            "sessile_tower::response",
        ],
    ),
    ("the layer and its future", &["sessile_tower"]),
    ("the visit: state, operations, values", &["sessile_core", "tokio::sync"]),
    ("shared buffers", &["bytes::"]),
];

const REST: &str = "the rest";

/// Instructions of a run, by the names of functions.
pub(super) type Functions = BTreeMap<String, i64>;

/// Parses the output of `callgrind_annotate`: lines of a number, a share in brackets, and a file with a function.
pub(super) fn parse(report: &str) -> Functions {
    let mut functions = Functions::new();
    let lines = report.lines().filter_map(|line| {
        let (number, rest) = line.trim_start().split_once(" (")?;
        let (_share, name) = rest.split_once(")  ")?;
        let number: i64 = number.replace(',', "").parse().ok()?;
        let is_total = name.trim_start().starts_with("PROGRAM TOTALS");
        (!is_total).then(|| (name.trim().to_owned(), number))
    });
    for (name, number) in lines {
        *functions.entry(name).or_default() += number;
    }
    functions
}

/// Returns the instructions of each part for one request: those of `ours` less those of `floor`.
pub(super) fn parts(ours: &Functions, floor: &Functions, requests: i64) -> Vec<(&'static str, i64)> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for (functions, sign) in [(ours, 1), (floor, -1)] {
        for (name, number) in functions {
            *sums.entry(part_of(name)).or_default() += sign * number;
        }
    }
    let mut parts: Vec<_> = sums.into_iter().map(|(part, sum)| (part, sum / requests)).collect();
    parts.sort_by_key(|(_, sum)| std::cmp::Reverse(*sum));
    parts
}

fn part_of(name: &str) -> &'static str {
    let fits = |(_, marks): &&(&str, &[&str])| marks.iter().any(|mark| name.contains(mark));
    PARTS.iter().find(fits).map_or(REST, |(part, _)| part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
--------------------------------------------------------------------------------
Ir
--------------------------------------------------------------------------------
1,300 (100.0%)  PROGRAM TOTALS

--------------------------------------------------------------------------------
Ir             file:function
--------------------------------------------------------------------------------
1,000 (76.92%)  src/sha256.rs:sha2::sha256::compress [/target/release/benches]
  200 (15.38%)  ./malloc/malloc.c:_int_free [/lib/libc.so.6]
  100 ( 7.69%)  src/main.rs:axum::serve
";

    /// A module that is renamed must be renamed here too, or its instructions count elsewhere.
    #[test]
    fn named_modules_exist() {
        let marks = PARTS.iter().flat_map(|(_, marks)| marks.iter());
        for mark in marks {
            let Some((name, path)) = mark.strip_prefix("sessile_").and_then(|mark| mark.split_once("::")) else {
                continue;
            };
            let module = crate::cargo::root()
                .join("crates")
                .join(name)
                .join("src")
                .join(path.replace("::", "/"));
            assert!(module.is_dir() || module.with_extension("rs").is_file(), "{mark}");
        }
    }

    #[test]
    fn functions_are_read_with_their_instructions() {
        let functions = parse(REPORT);
        assert_eq!(functions.values().sum::<i64>(), 1_300);
        assert_eq!(functions.len(), 3);
    }

    #[test]
    fn parts_are_the_difference_to_the_floor() {
        let floor = parse("  60 (100.0%)  src/main.rs:axum::serve");
        let parts = parts(&parse(REPORT), &floor, 10);
        assert_eq!(
            parts,
            [("SHA-256 of the id", 100), ("allocating and freeing", 20), (REST, 4)]
        );
    }
}
