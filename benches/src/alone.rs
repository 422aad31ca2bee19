//! Repeats one kind of request on one server: for profilers, and for the budget.

use crate::Failure;
use crate::contenders::{self, Contender};
use crate::driver;
use crate::heap::Counter;
use crate::scenarios::{self, Scenario};

/// The number of requests that are counted.
const TIMES: usize = 40;

fn find(scenario: &str, contender: &str) -> Result<(Scenario, Contender), Failure> {
    let known = scenarios::all().into_iter().find(|known| known.short == scenario);
    let scenario = known.ok_or_else(|| format!("there is no scenario `{scenario}`"))?;
    let known = contenders::one(contender, None);
    let contender = known.ok_or_else(|| format!("there is no server `{contender}`"))?;
    Ok((scenario, contender))
}

/// Sends `count` requests.
pub(crate) fn run(scenario: &str, contender: &str, count: usize) -> Result<(), Failure> {
    let runtime = driver::runtime();
    let _entered = runtime.enter();
    let (scenario, mut contender) = find(scenario, contender)?;
    for spec in scenario.specs(&mut contender, count).iter().cycle().take(count) {
        drop(spec.send(&mut contender));
    }
    Ok(())
}

/// Returns the allocations of one request and their bytes.
pub(crate) fn count(scenario: &str, contender: &str, counter: Counter) -> Result<(usize, usize), Failure> {
    let runtime = driver::runtime();
    let _entered = runtime.enter();
    let (scenario, mut contender) = find(scenario, contender)?;
    // The minimum of several, as a table that happens to grow is not part of the request.
    let specs = scenario.specs(&mut contender, TIMES);
    let counts = specs.iter().cycle().take(TIMES).map(|spec| {
        let before = counter();
        drop(spec.send(&mut contender));
        let after = counter();
        (
            after.allocations - before.allocations,
            after.allocated - before.allocated,
        )
    });
    counts.min().ok_or_else(|| "no request was sent".to_owned())
}
