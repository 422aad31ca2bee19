//! Worker processes on real servers, while workers are killed and stopped, connections are cut, and servers restart,
//! stall, fill up, fail over, are demoted and migrate slots: the replies that the workers got must be consistent.
//!
//! By default, each nemesis takes a few seconds. `cargo xtask torture redis` has options for more: `--seconds` for
//! each, `--nemesis` for one of them, `--seed` to repeat a run.

mod group;
mod nemesis;
mod options;
#[allow(dead_code, reason = "the populations of sessions use the rest")]
mod place;
mod relay;
mod scene;
mod single;
mod slots;
mod table;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use nemesis::Nemesis;
use options::Options;
use place::Place;
use sessile_lab::redis::version;
use sessile_testkit::torture::worker_main;
use table::Row;

fn main() -> ExitCode {
    worker_main(async || Place::of_worker().connect().await);

    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(mistake) => {
            eprintln!("{mistake}");
            return ExitCode::from(2);
        }
    };
    if options.list {
        for nemesis in Nemesis::ALL {
            println!("{}: {}", nemesis.name, nemesis.what);
        }
        return ExitCode::SUCCESS;
    }
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    println!("torture of the Redis storage on {}, seed {}", version(), options.seed);
    for nemesis in options.nemeses() {
        println!("{}: {}", nemesis.name, nemesis.what);
        // A server that does not come back panics. The other nemeses run all the same.
        let outcome = catch_unwind(AssertUnwindSafe(|| nemesis.run(&options)));
        match outcome.unwrap_or_else(|_| Err("it panicked, as told above\n".to_owned())) {
            Ok(report) => rows.push(Row::of(nemesis, &report)),
            Err(reason) => {
                eprintln!("{}: FAILED: {reason}", nemesis.name);
                failed.push(nemesis);
            }
        }
    }
    print!("\n{}", table::show(&rows));
    for nemesis in &failed {
        eprintln!(
            "{} has failed. To try it again: {}",
            nemesis.name,
            options.again(nemesis)
        );
    }
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
