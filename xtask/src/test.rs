//! `cargo xtask test`: every test there is.

use crate::Failure;
use crate::cargo::{cargo, step, test_step};
use crate::redis::{ensure_clocks, ensure_server};

/// The facade has a feature for each part, and has to build with any one of them alone.
const FACADE_FEATURES: &[&str] = &[
    "macros",
    "memory",
    "file",
    "redis",
    "redis-tls",
    "memoized",
    "tower",
    "axum",
    "signed",
    "encrypted",
    "tracing",
    "metrics",
];

pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    if !arguments.is_empty() {
        return test_step("tests, as asked for", cargo("test").args(arguments));
    }
    ensure_server()?;
    ensure_clocks()?;
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
