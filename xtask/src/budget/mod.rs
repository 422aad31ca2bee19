//! `cargo xtask budget`: the instructions and allocations that a request may cost.
//!
//! Neither depends on the load of the machine, so the tests of a change find out whether it makes requests dearer. The
//! numbers are those of sessile in memory, less those of the same server without sessions. `benches/budget.txt` has the
//! budget.

mod costs;
mod page;
mod profile;

use std::path::Path;

use self::costs::Programs;
use self::page::{Costs, Page};
use crate::Failure;
use crate::programs::Missing;

/// The kinds of requests, by their names on the command line of the benches.
const SCENARIOS: [&str; 7] = ["untouched", "cookie", "read", "write", "update", "create", "many"];

/// The percentage by which instructions may differ from the budget: other compilers generate other code.
const TOLERANCE: u64 = 5;

pub(crate) fn run(arguments: &[&str], missing: Missing) -> Result<(), Failure> {
    let write = match arguments {
        [] => false,
        ["--write"] => true,
        ["--profile"] => return show(&SCENARIOS, missing),
        ["--profile", scenario] if SCENARIOS.contains(scenario) => return show(&[scenario], missing),
        _ => {
            let names = SCENARIOS.join(", ");
            return Err(format!(
                "`cargo xtask budget` takes `--write`, or `--profile` and one of {names}"
            ));
        }
    };
    let path = crate::cargo::root().join("benches").join("budget.txt");
    // A page that cannot be read is reported before minutes of measuring.
    let kept = if write { Page::default() } else { Page::read(&path)? };
    let programs = Programs::build(missing)?;
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

/// Prints the instructions of each part of the work.
fn show(scenarios: &[&str], missing: Missing) -> Result<(), Failure> {
    let programs = Programs::build(missing)?;
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

/// Fails if a scenario is outside its budget, and says by how much.
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

/// Returns the deviations of a scenario from its budget. Lower costs are deviations too: the budget then has to
/// follow, or the next change could lose the gain unnoticed.
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
    fn lower_costs_are_outside_the_budget() {
        assert_eq!(excess("read", costs(1_000, 4), costs(900, 3)).len(), 2);
    }
}
