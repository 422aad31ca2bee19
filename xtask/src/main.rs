//! The tasks of this workspace, run as `cargo xtask NAME`.

mod budget;
mod cargo;
mod document;
mod failures;
mod fuzz;
mod lint;
mod package;
mod programs;
mod redis;
mod test;
mod torture;
mod valkey;

use std::process::ExitCode;

use crate::programs::Missing;

const USAGE: &str = "\
usage: cargo xtask TASK

tasks:
  test [ARGS]                  all tests; with ARGS, `cargo test ARGS` alone
      --quick                  unit tests and fast tests of core, file, macros, memory and tower, in minutes; without
                               Redis, the kit, other crates, other processes, examples in the documentation
  test-document [--short]      the engine of documents on the public suite of JSON Patch, and against the parts of the
                               public client; from npm
      --seed N                 with the schedules of another run
  valkey [ARGS]                the tests of the Redis storage on Valkey; ARGS as for `cargo test`
      --short                  the tests that CI runs again
  fuzz [TARGET] [--seconds N]  generates input for every decoder, for N seconds (default 60) a target
  fuzz TARGET FILE             runs a target on one input
  lint [prose|imports]         checks the wording of comments, and that imports form no circles
  budget [--write]             compares the costs of requests with benches/budget.txt: instructions and allocations
  budget --profile [SCENARIO]  shows those instructions by parts of the work
  package                      builds and tests the packages from their archives, as users get them
  torture count [--rounds N]   parallel counting against the shop, N rounds (default 1000), in release mode
  torture file [OPTIONS]       processes on one folder that are killed and stopped at random
      --seconds N              for N seconds (default 600)
      --seed N                 with the seed of another run
  torture population [OPTIONS] owners, limits and ends of sessions across processes, in files and on Redis servers
      --seconds N              for N seconds with each kind of fault (default 120)
      --seed N                 with the seed of another run
  torture redis [OPTIONS]      processes on Redis servers that die, stall, fail over, fill up and are cut off;
                               SESSILE_REDIS_SERVER is the path of another server program
      --seconds N              for N seconds with each nemesis (default 20)
      --nemesis NAME           with this nemesis; may be repeated
      --seed N                 with the seed of another run
      --list                   lists the nemeses

for every task:
  --install                    installs missing programs with apt-get; without it, the task fails and names them
";

/// The error of a task, as text for the person who runs it.
type Failure = String;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (missing, arguments) = Missing::take(&arguments);
    let result = match arguments.as_slice() {
        ["test", rest @ ..] => test::run(rest, missing),
        ["test-document", rest @ ..] => document::run(rest, missing),
        ["valkey", rest @ ..] => valkey::run(rest, missing),
        ["fuzz", rest @ ..] => fuzz::run(rest, missing),
        ["lint", rest @ ..] => lint::run(rest),
        ["budget", rest @ ..] => budget::run(rest, missing),
        ["package", rest @ ..] => package::run(rest),
        ["torture", rest @ ..] => torture::run(rest, missing),
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
