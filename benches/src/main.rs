//! sessile beside its peers and beside a server without sessions.
//!
//! Everything a run prints comes from one interleaved run on one machine: read the ratios, not the nanoseconds.

mod allocations;
mod alone;
mod contenders;
mod driver;
mod quick;
mod scenarios;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo run --release -p sessile-benches -- NAME

  quick                           five kinds of requests, in memory, beside the closest peer
  alone SCENARIO SERVER COUNT     one kind of request to one server, for profilers
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["quick"] => {
            quick::run();
            Ok(())
        }
        ["alone", scenario, server, count] => match count.parse() {
            Ok(count) => alone::run(scenario, server, count),
            Err(_) => Err(format!("`{count}` is no number")),
        },
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(2)
        }
    }
}
