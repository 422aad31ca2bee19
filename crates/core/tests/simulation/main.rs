//! Simulation of concurrent visits: tasks that share a visit, and visits that share a session. The calls to the storage
//! are delayed, fail before or after they take effect, or are dropped, at moments that a seed determines.
//!
//! Each run checks that acknowledged values are stored, that reported results are true, that destroyed sessions stay
//! destroyed, that no call waits without reason, and that no lock is left. A run that fails is shrunk as long as it
//! fails, and printed with its seed and its trace.
//!
//! `SESSILE_SIMULATION_SEEDS` sets the number of seeds of each kind, and `SESSILE_SIMULATION_FROM` the first seed; the
//! default is 0.

mod acknowledged;
mod checks;
mod contents;
mod plan;
mod recorder;
mod rng;
mod run;
mod scheduler;
mod shrink;
mod storage;

use self::plan::{Kind, Plan, Transactions};
use self::run::run;

/// Seeds that have found a bug, with a description of it. They stay meaningful as long as plans are derived from seeds
/// as they are now. Some date from the time when all transactions took the lock: they run with all kinds of transactions.
const REGRESSIONS: &[(Kind, u64)] = &[
    // A close after a failed close reported that all values were stored.
    (Kind::OneVisit, 148),
    // A close after a dropped close reported it.
    (Kind::OneVisit, 200),
    // A close after a close that was refused, because the response had been sent, reported it.
    (Kind::OneVisit, 120),
    // The end of a visit reported it.
    (Kind::TwoVisits, 1979),
    // A close reported it of a value that another task had set under the lock of a transaction, which failed.
    (Kind::TwoVisits, 15_328),
    // A transaction reported it although another task had destroyed the session.
    (Kind::OneVisit, 504),
    // A transaction created a session while the response was sent, so that no client received its id.
    (Kind::OneVisit, 52),
    // A close was dropped after it had created a session; another one, whose session was destroyed meanwhile.
    (Kind::OneVisit, 3),
    (Kind::OneVisit, 2934),
    // A session to which another visit had given a new id was reported as destroyed.
    (Kind::TwoVisits, 69),
    // A session to which a close of the same visit was giving a new id was reported as destroyed.
    (Kind::OneVisit, 210),
    (Kind::OneVisit, 1387),
    // A late destroy discarded the lock of the session that a visit continued with.
    (Kind::OneVisit, 3375),
    (Kind::TwoVisits, 1544),
    // A reader waited for a start of its own visit.
    (Kind::OneVisit, 15),
    (Kind::Sliding, 63),
    // The end of a read-only visit waited for a start of its own visit.
    (Kind::OneVisit, 443),
    (Kind::Sliding, 12),
    // A late touch undid a shorter window.
    (Kind::Sliding, 5546),
    (Kind::Sliding, 7978),
    // A session expired by idling while its lock was held and renewed.
    (Kind::Sliding, 1457),
    // A visit was told that its session is gone while others kept it alive, and removed the client's id.
    (Kind::Sliding, 331),
    (Kind::Sliding, 364),
];

/// The number of seeds of each kind.
const SEEDS: u64 = 8_000;

fn try_seeds(kind: Kind) {
    let seeds = number("SESSILE_SIMULATION_SEEDS").unwrap_or(SEEDS);
    let from = number("SESSILE_SIMULATION_FROM").unwrap_or(0);
    let kept = REGRESSIONS.iter().filter(|(of, _)| *of == kind).map(|(_, seed)| *seed);
    let kept = kept
        .flat_map(|seed| Transactions::ALL.map(|transactions| Plan::new(kind, seed).with_transactions(transactions)));
    for plan in kept.chain((from..from + seeds).map(|seed| Plan::new(kind, seed))) {
        let seed = plan.seed;
        if let Err((check, what)) = run(&plan, false).verdict {
            let smallest = shrink::shrink(plan, check);
            let result = run(&smallest, true);
            let trace = result.trace.join("\n  ");
            panic!(
                "{kind:?}, seed {seed}: {check}: {what}\nSmallest failing plan:\n{smallest}  {trace}\n{:?}",
                result.verdict
            );
        }
    }
}

/// Returns a number from the environment.
fn number(name: &str) -> Option<u64> {
    let number = std::env::var(name).ok()?;
    Some(
        number
            .parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: {number}")),
    )
}

#[test]
fn the_tasks_of_one_visit() {
    try_seeds(Kind::OneVisit);
}

#[test]
fn two_visits_with_one_id() {
    try_seeds(Kind::TwoVisits);
}

#[test]
fn visits_that_refresh() {
    try_seeds(Kind::Refreshing);
}

#[test]
fn long_visits_of_sliding_sessions() {
    try_seeds(Kind::Sliding);
}
