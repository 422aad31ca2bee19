//! A quick comparison: five kinds of requests, one visitor, in memory.

use std::time::Duration;

use crate::allocations;
use crate::contenders::{self, Contender};
use crate::driver::{self, Ask};
use crate::scenarios::{self, Scenario};

const ROUNDS: usize = 201;
const REQUESTS: u32 = 500;

pub(crate) fn run() {
    println!("{ROUNDS} interleaved rounds of {REQUESTS} requests; medians of thread CPU time per request, and exact");
    println!("allocations, both over the floor: the same server without sessions.\n");
    println!(
        "{:<22} {:<24} {:>9} {:>7} {:>12}",
        "scenario", "server", "ns", "allocs", "of the peer"
    );
    let runtime = driver::runtime();
    let _entered = runtime.enter();
    for scenario in &scenarios::all() {
        report(scenario, &measure(scenario));
    }
}

struct Figures {
    name: &'static str,
    time: Duration,
    allocations: usize,
}

fn measure(scenario: &Scenario) -> Vec<Figures> {
    let mut contenders: Vec<(Contender, Ask, Vec<Duration>)> = contenders::all()
        .into_iter()
        .map(|mut contender| {
            let ask = scenario.ask(&mut contender);
            // Warm up whatever is made once.
            driver::time_of(&mut contender, &ask, REQUESTS);
            (contender, ask, Vec::with_capacity(ROUNDS))
        })
        .collect();
    for round in 0..ROUNDS {
        let first = round % contenders.len();
        for index in (first..contenders.len()).chain(0..first) {
            let (contender, ask, times) = &mut contenders[index];
            times.push(driver::time_of(contender, ask, REQUESTS));
        }
    }
    contenders
        .into_iter()
        .map(|(mut contender, ask, mut times)| {
            times.sort_unstable();
            Figures {
                name: contender.name,
                time: times[ROUNDS / 2],
                allocations: allocations_of(&mut contender, &ask),
            }
        })
        .collect()
}

/// The smallest count of several: a table that grows just then is not the request's doing.
fn allocations_of(contender: &mut Contender, ask: &Ask) -> usize {
    let counts = (0..20).map(|_| allocations::count(|| drop(ask.send(contender))));
    counts.min().unwrap_or_default()
}

fn report(scenario: &Scenario, figures: &[Figures]) {
    let [floor, ours, peer] = figures else {
        unreachable!("there are three contenders")
    };
    let over = |figures: &Figures| figures.time.saturating_sub(floor.time).as_nanos();
    for figures in [ours, peer] {
        println!(
            "{:<22} {:<24} {:>9} {:>7} {:>12.2}",
            scenario.name,
            figures.name,
            over(figures),
            figures.allocations.saturating_sub(floor.allocations),
            over(figures) as f64 / over(peer).max(1) as f64,
        );
    }
    println!(
        "{:<22} {:<24} {:>9} {:>7}",
        "",
        format!("({})", floor.name),
        floor.time.as_nanos(),
        floor.allocations
    );
}
