//! A quick comparison: six kinds of requests, one client, in memory.

use crate::contenders::{self, BARE, LEAN, NULL, PEER};
use crate::rounds::{self, Figures, Size};
use crate::scenarios::{self, Scenario};
use crate::table::{Table, cell};
use crate::{Failure, driver};

pub(crate) const SIZE: Size = Size {
    rounds: 201,
    requests: 500,
    waiting: 500,
};

pub(crate) fn run() -> Result<(), Failure> {
    let Size { rounds, requests, .. } = SIZE;
    println!("{rounds} interleaved rounds of {requests} requests; medians of thread CPU time per request, and exact");
    println!(
        "allocations, over the floor: the same server without sessions, which is in brackets. Parts of the peer and"
    );
    println!("of lean are parts of their time over the floor.\n");
    let mut table = Table::new([
        "scenario",
        "server",
        "ns",
        "over the null layer",
        "allocs",
        "of the peer",
        "of lean",
    ]);
    let runtime = driver::runtime();
    let _entered = runtime.enter();
    for scenario in &scenarios::quick() {
        let contenders = contenders::quick_and_generators(None);
        report(&mut table, scenario, &rounds::measure(scenario, contenders, SIZE))?;
    }
    table.print();
    Ok(())
}

fn report(table: &mut Table, scenario: &Scenario, all: &[Figures]) -> Result<(), Failure> {
    let time = |name: &str| Some(all.iter().find(|figures| figures.name == name)?.processor.as_nanos() as i64);
    let floor = time(BARE).ok_or("the floor is measured")?;
    let (least, _) = rounds::allocations(scenario, BARE)?;
    let over = |name: &str| time(name).map(|time| time - floor);
    let part = |own: i64, of: &str| cell(over(of), |of| format!("{:.2}", own as f64 / of.max(1) as f64));
    for figures in all.iter().filter(|figures| figures.name != BARE) {
        let own = figures.processor.as_nanos() as i64 - floor;
        let is_limit = figures.name == NULL;
        let (allocations, _) = rounds::allocations(scenario, figures.name)?;
        table.row([
            scenario.name.to_owned(),
            figures.name.to_owned(),
            own.to_string(),
            cell(over(NULL).filter(|_| !is_limit), |null| (own - null).to_string()),
            allocations.saturating_sub(least).to_string(),
            part(own, PEER),
            part(own, LEAN),
        ]);
    }
    table.row([
        String::new(),
        format!("({BARE})"),
        floor.to_string(),
        "-".to_owned(),
        least.to_string(),
    ]);
    Ok(())
}
