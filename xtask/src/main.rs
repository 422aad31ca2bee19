//! The tasks of this workspace, run as `cargo xtask NAME`.

mod budget;
mod cargo;
mod programs;
mod redis;
mod test;
mod torture;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask TASK

tasks:
  test [ARGS]                  all tests; with arguments, `cargo test ARGS` alone
  test-redis                   the tests of the Redis storage, which fail servers over and take minutes
  budget [--write]             what requests cost, in instructions and allocations, against benches/budget.txt
  torture count [--rounds N]   parallel counting against the shop, N rounds (default 1000), in release mode
";

/// What went wrong, for the person who ran the task.
type Failure = String;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["test", rest @ ..] => test::run(rest),
        ["test-redis"] => test::redis(),
        ["budget", rest @ ..] => budget::run(rest),
        ["torture", rest @ ..] => torture::run(rest),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
