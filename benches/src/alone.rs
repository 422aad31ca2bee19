//! One kind of request to one server, again and again: for profilers.

use crate::driver::{self, Ask};
use crate::{contenders, scenarios};

/// Answers `count` requests.
pub(crate) fn run(scenario: &str, contender: &str, count: u32) -> Result<(), String> {
    let known = scenarios::all().into_iter().find(|known| known.short == scenario);
    let scenario = known.ok_or_else(|| format!("there is no scenario `{scenario}`"))?;
    let runtime = driver::runtime();
    let _entered = runtime.enter();
    let known = contenders::all().into_iter().find(|known| known.name == contender);
    let mut contender = known.ok_or_else(|| format!("there is no server `{contender}`"))?;
    let ask: Ask = scenario.ask(&mut contender);
    driver::time_of(&mut contender, &ask, count);
    Ok(())
}
