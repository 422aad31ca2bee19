//! `cargo xtask budget`: what a request may cost, in instructions and allocations.
//!
//! Neither depends on how busy the machine is, so a change that makes requests dearer is found by the tests of the day
//! it is made. The numbers are those of sessile in memory over the same server without sessions, and are kept in
//! `benches/budget.txt`.

mod costs;
mod page;
mod profile;

use std::path::Path;

use self::costs::Programs;
use self::page::{Costs, Page};
use crate::Failure;

/// The kinds of requests, by their names on the command line of the benches.
const SCENARIOS: [&str; 7] = ["untouched", "cookie", "read", "write", "update", "create", "many"];

/// By how much instructions may differ from what is written down, in percent: other compilers make other code.
const TOLERANCE: u64 = 5;

pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    let write = match arguments {
        [] => false,
        ["--write"] => true,
        ["--profile"] => return show(&SCENARIOS),
        ["--profile", scenario] if SCENARIOS.contains(scenario) => return show(&[scenario]),
        _ => {
            let names = SCENARIOS.join(", ");
            return Err(format!(
                "`cargo xtask budget` takes `--write`, or `--profile` and one of {names}"
            ));
        }
    };
    let path = crate::cargo::root().join("benches").join("budget.txt");
    // What is wrong with the page is better known before than after.
    let kept = if write { Page::default() } else { Page::read(&path)? };
    let programs = Programs::build()?;
    let mut found = Page::default();
    for scenario in SCENARIOS {
        found.put(scenario, programs.over_floor(scenario)?);
    }
    print!("\n{found}");
    if write {
        return found.write(&path);
    }
    compare(&kept, &found, &path)
}

/// Says which parts of the work the instructions go to.
fn show(scenarios: &[&str]) -> Result<(), Failure> {
    let programs = Programs::build()?;
    for scenario in scenarios {
        println!("\n{scenario}: instructions of a request over the floor");
        let parts = programs.profile(scenario)?;
        let total: i64 = parts.iter().map(|(_, sum)| sum).sum();
        for (part, sum) in &parts {
            println!("{sum:>8} {:>4} %  {part}", sum * 100 / total.max(1));
        }
        println!("{total:>8}         in all");
    }
    Ok(())
}

/// Says which scenario grew by how much.
fn compare(kept: &Page, found: &Page, path: &Path) -> Result<(), Failure> {
    let mut failures = Vec::new();
    for scenario in SCENARIOS {
        let (Some(kept), Some(found)) = (kept.get(scenario), found.get(scenario)) else {
            failures.push(format!("{scenario}: nothing is written down"));
            continue;
        };
        failures.extend(excess(scenario, kept, found));
    }
    if failures.is_empty() {
        println!("\nAll scenarios are within their budget.");
        return Ok(());
    }
    failures.push(format!(
        "If that is meant, renew {} with `cargo xtask budget --write`, and say why in the commit.",
        path.display()
    ));
    Err(failures.join("\n"))
}

/// What is wrong with the costs of a scenario. Cheaper is wrong too: what has been won is to be kept.
fn excess(scenario: &str, kept: Costs, found: Costs) -> Vec<String> {
    let mut failures = Vec::new();
    let difference = kept.instructions.abs_diff(found.instructions);
    if difference * 100 > kept.instructions * TOLERANCE {
        let percent = (found.instructions as f64 / kept.instructions.max(1) as f64 - 1.0) * 100.0;
        failures.push(format!(
            "{scenario}: {} instructions instead of {} ({percent:+.1} %, allowed are {TOLERANCE} %)",
            found.instructions, kept.instructions
        ));
    }
    if found.allocations != kept.allocations {
        let change = i128::from(found.allocations) - i128::from(kept.allocations);
        failures.push(format!(
            "{scenario}: {} allocations instead of {} ({change:+})",
            found.allocations, kept.allocations
        ));
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(instructions: u64, allocations: u64) -> Costs {
        Costs {
            instructions,
            allocations,
        }
    }

    #[test]
    fn five_percent_are_within_the_budget() {
        assert_eq!(excess("read", costs(1_000, 4), costs(1_050, 4)), [""; 0]);
        assert_eq!(excess("read", costs(1_000, 4), costs(950, 4)), [""; 0]);
    }

    #[test]
    fn more_is_not_and_says_how_much() {
        let failures = excess("read", costs(1_000, 4), costs(1_051, 5));
        assert_eq!(
            failures,
            [
                "read: 1051 instructions instead of 1000 (+5.1 %, allowed are 5 %)",
                "read: 5 allocations instead of 4 (+1)",
            ]
        );
    }

    #[test]
    fn what_has_been_won_is_written_down() {
        assert_eq!(excess("read", costs(1_000, 4), costs(900, 3)).len(), 2);
    }
}
