//! Comparisons of sessile with its peers and with a server without sessions.
//!
//! All figures of a run come from one interleaved run on one machine: read the ratios, not the nanoseconds.
//! `docs/performance.md` describes the measurements and how to read them.

#![cfg_attr(
    not(feature = "peers"),
    allow(dead_code, reason = "only a few requests are made without the peers")
)]

#[cfg(feature = "peers")]
mod all;
mod alone;
#[cfg(feature = "peers")]
mod contended;
mod contenders;
#[cfg(feature = "peers")]
mod crowd;
mod driver;
#[cfg(feature = "peers")]
mod goals;
mod heap;
mod jar;
#[cfg(feature = "peers")]
mod machine;
#[cfg(feature = "peers")]
mod memory;
#[cfg(feature = "peers")]
mod quick;
#[cfg(feature = "peers")]
mod races;
#[cfg(feature = "peers")]
mod redis;
#[cfg(feature = "peers")]
mod rounds;
#[cfg(feature = "peers")]
mod scale;
mod scenarios;
#[cfg(feature = "peers")]
mod sockets;
#[cfg(feature = "peers")]
mod space;
#[cfg(feature = "peers")]
mod statistics;
#[cfg(feature = "peers")]
mod table;
#[cfg(feature = "peers")]
mod threads;
#[cfg(feature = "peers")]
mod weight;

use std::process::ExitCode;
use std::str::FromStr;

pub use heap::{Counter, Heap};

const USAGE: &str = "\
usage: cargo run --release -p sessile-benches -- NAME

  goals        what is to be reached, what is, and the limit, in some minutes
  quick        six kinds of requests, in memory, beside the closest peer
  memory       eleven kinds of requests to all servers, on one thread: time, allocations, bytes
  scale        256 tasks over 1 to 1,000,000 sessions, on one thread and on two; increments that were lost
  space        what a stored session takes, and what is left of a million that have expired
  threads      the same load on 1, 2 and all threads, and how often they sleep
  contended    64 and 1,000 tasks that want one session
  sockets      64 and 1,000 connections over real sockets
  redis        64 tasks and one Redis server, beside bare commands
  redis cost   the last table of it: what requests cost the server
  races        parallel increments, and a logout while a request is under way: what is kept
  weight       crates and seconds of building that an application takes on
  all          all of them, into docs/performance.md

  alone SCENARIO SERVER COUNT     one kind of request to one server, for profilers
  counted SCENARIO SERVER         allocations and bytes of one request of that kind
";

/// An error message for the user of the program.
type Failure = String;

/// Runs the command line. With a counter, this is the program that counts; otherwise, the one that measures time.
#[must_use]
pub fn main(counter: Option<Counter>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match counter {
        None => measure(&arguments),
        Some(counter) => count(&arguments, counter),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(2)
        }
    }
}

fn measure(arguments: &[&str]) -> Result<(), Failure> {
    match arguments {
        ["alone", scenario, server, count] => alone::run(scenario, server, number(count)?),
        ["counted", scenario, server] => {
            print!("{}", heap::output(&mut heap::counted(&["counted", scenario, server])?)?);
            Ok(())
        }
        _ => measure_beside_peers(arguments),
    }
}

#[cfg(feature = "peers")]
fn measure_beside_peers(arguments: &[&str]) -> Result<(), Failure> {
    match arguments {
        ["quick"] => quick::run(),
        ["memory"] => memory::run(),
        ["scale"] => scale::run(),
        ["space"] => space::run(),
        ["goals"] => goals::run(),
        ["threads"] => threads::run(),
        ["contended"] => contended::run(),
        ["sockets"] => sockets::run(),
        ["sockets", "load", port, connections] => sockets::load::run(number(port)?, number(connections)?),
        ["redis", "cost"] => redis::run_cost(),
        ["redis"] => redis::run(),
        ["races"] => races::run(),
        ["weight"] => weight::run(),
        ["all"] => all::run(),
        _ => Err(USAGE.to_owned()),
    }
}

#[cfg(not(feature = "peers"))]
fn measure_beside_peers(_: &[&str]) -> Result<(), Failure> {
    Err(USAGE.to_owned())
}

fn count(arguments: &[&str], counter: Counter) -> Result<(), Failure> {
    match arguments {
        ["counted", scenario, server] => {
            let (allocations, bytes) = alone::count(scenario, server, counter)?;
            println!("{allocations} {bytes}");
            Ok(())
        }
        #[cfg(feature = "peers")]
        ["stored", server] => space::measure_stored(server, counter),
        #[cfg(feature = "peers")]
        ["space", server] => space::measure(server, counter),
        _ => Err("this program is run by `sessile-benches`".to_owned()),
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}
