//! A quick comparison: five kinds of requests, one visitor, in memory.

use crate::rounds::{self, Figures, Size};
use crate::scenarios::{self, Scenario};
use crate::{Failure, contenders, driver};

const SIZE: Size = Size {
    rounds: 201,
    requests: 500,
    waiting: 500,
};

pub(crate) fn run() -> Result<(), Failure> {
    let Size { rounds, requests, .. } = SIZE;
    println!("{rounds} interleaved rounds of {requests} requests; medians of thread CPU time per request, and exact");
    println!("allocations, both over the floor: the same server without sessions.\n");
    println!(
        "{:<22} {:<24} {:>9} {:>7} {:>12}",
        "scenario", "server", "ns", "allocs", "of the peer"
    );
    let runtime = driver::runtime();
    let _entered = runtime.enter();
    for scenario in &scenarios::quick() {
        report(scenario, &rounds::measure(scenario, &mut contenders::quick(None), SIZE))?;
    }
    Ok(())
}

fn report(scenario: &Scenario, figures: &[Figures]) -> Result<(), Failure> {
    let [floor, ours, peer] = figures else {
        unreachable!("there are three contenders")
    };
    let over = |figures: &Figures| figures.processor.saturating_sub(floor.processor).as_nanos();
    let (least, _) = rounds::allocations(scenario, floor.name)?;
    for figures in [ours, peer] {
        let (allocations, _) = rounds::allocations(scenario, figures.name)?;
        println!(
            "{:<22} {:<24} {:>9} {:>7} {:>12.2}",
            scenario.name,
            figures.name,
            over(figures),
            allocations.saturating_sub(least),
            over(figures) as f64 / over(peer).max(1) as f64,
        );
    }
    println!(
        "{:<22} {:<24} {:>9} {:>7}",
        "",
        format!("({})", floor.name),
        floor.processor.as_nanos(),
        least
    );
    Ok(())
}
