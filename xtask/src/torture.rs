//! `cargo xtask torture`: tests in their full size.

use std::process::Command;

use crate::Failure;
use crate::cargo::{cargo, step};
use crate::programs::Missing;
use crate::redis::ensure_server;

pub(crate) fn run(arguments: &[&str], missing: Missing) -> Result<(), Failure> {
    match arguments {
        ["count", rest @ ..] => count(rest),
        ["file", rest @ ..] => files(rest),
        ["population", rest @ ..] => population(rest, missing),
        ["redis", rest @ ..] => servers(rest, missing),
        [other, ..] => Err(format!(
            "torture knows no {other}; known: count, file, population, redis"
        )),
        [] => Err("torture needs a name: count, file, population or redis".to_owned()),
    }
}

/// Runs parallel counting against the shop.
fn count(arguments: &[&str]) -> Result<(), Failure> {
    let rounds = match arguments {
        [] => "1000",
        ["--rounds", rounds] if rounds.parse::<u32>().is_ok_and(|rounds| rounds > 0) => rounds,
        ["--rounds", ..] => return Err("--rounds takes a number".to_owned()),
        [other, ..] => return Err(format!("{other} is not an option of this task")),
    };
    step(
        &format!("parallel counting, {rounds} rounds"),
        cargo("test")
            .args(["--release", "--package", "example-shop", "--test", "shop"])
            .args(["--", "--nocapture", "count::"])
            .env("SHOP_ROUNDS", rounds),
    )
}

/// Runs worker processes on one folder, killed and stopped at random.
fn files(arguments: &[&str]) -> Result<(), Failure> {
    let mut command = cargo("test");
    command.args(["--package", "sessile-file", "--test", "torture"]);
    limit(&mut command, "600", arguments)?;
    step("torture of the file storage", &mut command)
}

/// Runs worker processes on the sessions of a few owners, in files and on Redis servers.
fn population(arguments: &[&str], missing: Missing) -> Result<(), Failure> {
    ensure_server(missing)?;
    for package in ["sessile-file", "sessile-redis"] {
        let mut command = cargo("test");
        command.args(["--package", package, "--test", "population", "--"]);
        // One at a time: each needs all of the machine.
        command.args(["--nocapture", "--test-threads=1"]);
        limit(&mut command, "120", arguments)?;
        step(&format!("torture of populations on {package}"), &mut command)?;
    }
    Ok(())
}

/// Passes the options of a torture without a command line of its own: for how long, and with which seed.
fn limit(command: &mut Command, seconds: &str, arguments: &[&str]) -> Result<(), Failure> {
    command.env("SESSILE_TORTURE_SECONDS", seconds);
    for option in arguments.chunks(2) {
        match option {
            ["--seconds", seconds] => command.env("SESSILE_TORTURE_SECONDS", seconds),
            ["--seed", seed] => command.env("SESSILE_SEED", seed),
            [name @ ("--seconds" | "--seed")] => return Err(format!("{name} takes a value")),
            [other, ..] => return Err(format!("{other} is not an option of this task")),
            [] => continue,
        };
    }
    Ok(())
}

/// The seconds that each nemesis runs by default.
const SECONDS: &str = "20";

/// Runs worker processes on Redis servers, under every nemesis or one.
fn servers(arguments: &[&str], missing: Missing) -> Result<(), Failure> {
    const OPTIONS: [&str; 3] = ["--seconds", "--nemesis", "--seed"];
    if let ["--list"] = arguments {
        return torture_redis(arguments);
    }
    for option in arguments.chunks(2) {
        match option {
            [name, _] if OPTIONS.contains(name) => {}
            [name] if OPTIONS.contains(name) => return Err(format!("{name} takes a value")),
            [other, ..] => return Err(format!("{other} is not an option of this task")),
            [] => {}
        }
    }
    ensure_server(missing)?;
    let seconds = ["--seconds", SECONDS];
    let says = arguments.iter().step_by(2).any(|name| *name == "--seconds");
    let defaults: &[&str] = if says { &[] } else { &seconds };
    torture_redis(&[defaults, arguments].concat())
}

fn torture_redis(arguments: &[&str]) -> Result<(), Failure> {
    let mut command = cargo("test");
    command.args([
        "--package",
        "sessile-redis",
        "--all-features",
        "--test",
        "torture",
        "--",
    ]);
    step("torture of the Redis storage", command.args(arguments))
}
