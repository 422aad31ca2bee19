//! The tasks of this workspace, run as `cargo xtask NAME`.

mod budget;
mod cargo;
mod failures;
mod fuzz;
mod programs;
mod redis;
mod test;
mod torture;
mod valkey;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask TASK

tasks:
  test [ARGS]                  all tests; with arguments, `cargo test ARGS` alone
  valkey [ARGS]                the tests of the Redis storage on Valkey, which is fetched; ARGS as for `cargo test`
      --short                  those of them that CI runs again
  fuzz [TARGET] [--seconds N]  makes up input for what reads input, for N seconds (default 60) a target
  fuzz TARGET FILE             what that target makes of one input
  budget [--write]             what requests cost, in instructions and allocations, against benches/budget.txt
  budget --profile [SCENARIO]  which parts of the work those instructions go to
  torture count [--rounds N]   parallel counting against the shop, N rounds (default 1000), in release mode
  torture file [OPTIONS]       processes on one folder that are killed and stopped at random
      --seconds N              for so long (default 600)
      --seed N                 as it was done with this seed
  torture redis [OPTIONS]      processes on Redis servers that die, stall, fail over, fill up and are cut off; on those
                               of another program if SESSILE_REDIS_SERVER is its path
      --seconds N              for so long with each nemesis (default 20)
      --nemesis NAME           with this one; may be repeated
      --seed N                 as it was done with this seed
      --list                   says which there are
";

/// What went wrong, for the person who ran the task.
type Failure = String;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["test", rest @ ..] => test::run(rest),
        ["valkey", rest @ ..] => valkey::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
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
