//! One kind of request to one server, again and again: for profilers, and for the budget.

use crate::Failure;
use crate::contenders::{self, Contender};
use crate::driver;
use crate::heap::Counter;
use crate::scenarios::{self, Scenario};

/// How many requests are counted.
const TIMES: usize = 40;

fn find(scenario: &str, contender: &str) -> Result<(Scenario, Contender), Failure> {
    let known = scenarios::all().into_iter().find(|known| known.short == scenario);
    let scenario = known.ok_or_else(|| format!("there is no scenario `{scenario}`"))?;
    let known = contenders::one(contender, None);
    let contender = known.ok_or_else(|| format!("there is no server `{contender}`"))?;
    Ok((scenario, contender))
}

/// Answers `count` requests.
pub(crate) fn run(scenario: &str, contender: &str, count: usize) -> Result<(), Failure> {
    let runtime = driver::runtime();
    let _entered = runtime.enter();
    let (scenario, mut contender) = find(scenario, contender)?;
    for ask in scenario.asks(&mut contender, count).iter().cycle().take(count) {
        drop(ask.send(&mut contender));
    }
    Ok(())
}

/// What one request allocates: how often, and how many bytes.
pub(crate) fn count(scenario: &str, contender: &str, counter: Counter) -> Result<(usize, usize), Failure> {
    let runtime = driver::runtime();
    let _entered = runtime.enter();
    let (scenario, mut contender) = find(scenario, contender)?;
    // The smallest of several: a table that grows just then is not the request's doing.
    let asks = scenario.asks(&mut contender, TIMES);
    let counts = asks.iter().cycle().take(TIMES).map(|ask| {
        let before = counter();
        drop(ask.send(&mut contender));
        let after = counter();
        (
            after.allocations - before.allocations,
            after.allocated - before.allocated,
        )
    });
    counts.min().ok_or_else(|| "nothing was asked".to_owned())
}
