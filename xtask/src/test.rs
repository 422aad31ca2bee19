//! `cargo xtask test`: every test, or with `--quick` those that need no programs and little time.

use crate::Failure;
use crate::cargo::{cargo, step, test_step};
use crate::programs::Missing;
use crate::redis::ensure_all;

/// The features of the facade. It has to build with each of them alone.
const FACADE_FEATURES: &[&str] = &[
    "macros",
    "memory",
    "file",
    "redb",
    "redis",
    "redis-tls",
    "memoized",
    "document",
    "tower",
    "axum",
    "signed",
    "encrypted",
    "tracing",
    "metrics",
];

/// The packages of the quick tests.
const QUICK_PACKAGES: &[&str] = &[
    "sessile-core",
    "sessile-file",
    "sessile-macros",
    "sessile-memory",
    "sessile-tower",
];

/// The integration tests among the quick tests: they cover each promise once, in seconds and within one process.
const QUICK_TESTS: &[&str] = &[
    // core
    "cancellation",
    "close",
    "destroy",
    "expiration",
    "outcome",
    "rotation",
    "simulation",
    "transaction",
    "values",
    // file and memory
    "folder",
    "locks",
    "sweeper",
    // tower
    "carriers",
    "cookies",
    "hyper",
    // macros
    "keys",
];

/// Unit tests that take more time than all other quick tests: schedules of threads in memory, and disks that fail.
const SLOW_TESTS: &[&str] = &["interleavings::", "tests::faults::"];

/// The seeds of each kind of simulation among the quick tests.
const QUICK_SEEDS: &str = "50";

pub(crate) fn run(arguments: &[&str], missing: Missing) -> Result<(), Failure> {
    if let ["--quick"] = arguments {
        return quick();
    }
    if !arguments.is_empty() {
        return test_step("tests, as asked for", cargo("test").args(arguments));
    }
    ensure_all(missing)?;
    test_step(
        "tests of all default members: units, behaviour, examples in the documentation",
        cargo("test").args(["--all-features", "--no-fail-fast"]),
    )?;
    let alone = |feature: &str| {
        let mut command = cargo("check");
        command.args(["--quiet", "--package", "sessile", "--no-default-features"]);
        command.args(["--features", feature]);
        step(&format!("the facade with features [{feature}]"), &mut command)
    };
    alone("")?;
    FACADE_FEATURES.iter().try_for_each(|feature| alone(feature))?;
    println!("\nAll tests passed.");
    Ok(())
}

fn quick() -> Result<(), Failure> {
    let mut command = cargo("test");
    command.args(["--no-fail-fast", "--lib"]);
    for package in QUICK_PACKAGES {
        command.args(["--package", package]);
    }
    for test in QUICK_TESTS {
        command.args(["--test", test]);
    }
    command.arg("--");
    for test in SLOW_TESTS {
        command.args(["--skip", test]);
    }
    command.env("SESSILE_SIMULATION_SEEDS", QUICK_SEEDS);
    test_step("quick tests of core, file, macros, memory and tower", &mut command)?;
    println!(
        "\nThe quick tests passed. They leave out Redis, other processes, schedules of threads, disks that fail, the \
         conformance kit,\nexamples in the documentation and most tests of the whole; `cargo xtask test` has them."
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::root;

    #[test]
    fn the_quick_tests_exist() {
        for test in QUICK_TESTS {
            let exists = QUICK_PACKAGES.iter().any(|package| {
                let folder = package.trim_start_matches("sessile-");
                let tests = root().join("crates").join(folder).join("tests");
                tests.join(format!("{test}.rs")).is_file() || tests.join(test).join("main.rs").is_file()
            });
            assert!(exists, "no quick package has a test {test}");
        }
    }
}
