//! Visits under schedules: tasks that share a visit, and visits that share a session, over a storage whose calls take
//! their time, fail before they act, fail after they acted, or are dropped, at moments that a seed decides.
//!
//! What was acknowledged has to be stored, what was told has to be true, what was destroyed has to stay so, nobody may
//! wait for what is none of their business, and nothing may be left behind. A run that fails is made smaller as long as it
//! fails, and printed with its seed and everything that happened.
//!
//! `SESSILE_SIMULATION_SEEDS` says how many seeds are tried of each kind instead of the default, and
//! `SESSILE_SIMULATION_FROM` which is the first, instead of 0.

mod acknowledged;
mod checks;
mod contents;
mod plan;
mod rng;
mod run;
mod scheduler;
mod shrink;
mod storage;
mod truth;

use self::plan::{Kind, Plan, Updates};
use self::run::run;

/// Seeds that have found something once, and what that was. They mean what they mean as long as plans are made of seeds as
/// they are now. Some stem from when all updates took the lock: they are tried with updates of every sort.
const KEPT: &[(Kind, u64)] = &[
    // A close after one that had failed said that all is stored.
    (Kind::OneVisit, 148),
    // A close after one that was dropped said so.
    (Kind::OneVisit, 200),
    // A close after one that was refused as the answer was out said so.
    (Kind::OneVisit, 120),
    // The end of a visit did.
    (Kind::TwoVisits, 1979),
    // A close said so of what somebody had set under the lock of an update of another task, which failed.
    (Kind::TwoVisits, 15_328),
    // An update said so though another task had destroyed the session.
    (Kind::OneVisit, 504),
    // An update made a session while the answer went out, so that nobody was told its id.
    (Kind::OneVisit, 52),
    // A close was dropped after it had made a session, and one whose session was destroyed meanwhile.
    (Kind::OneVisit, 3),
    (Kind::OneVisit, 2934),
    // A session that another visit had given a new id was said to be destroyed.
    (Kind::TwoVisits, 69),
    // One that a close of the same visit was giving a new id was.
    (Kind::OneVisit, 210),
    (Kind::OneVisit, 1387),
    // The lock of the session that a visit went on to was thrown away by a destroy that came late.
    (Kind::OneVisit, 3375),
    (Kind::TwoVisits, 1544),
    // A reader waited for a start of its own visit.
    (Kind::OneVisit, 15),
    (Kind::InTime, 63),
    // The end of a visit that only reads did.
    (Kind::OneVisit, 443),
    (Kind::InTime, 12),
    // A touch that came late undid a shorter window.
    (Kind::InTime, 5546),
    (Kind::InTime, 7978),
    // A session idled out while its lock was held and renewed.
    (Kind::InTime, 1457),
    // A visit was told that its session is gone while others kept it alive, and took the client's id away.
    (Kind::InTime, 331),
    (Kind::InTime, 364),
];

/// How many seeds are tried of each kind.
const SEEDS: u64 = 8_000;

fn try_seeds(kind: Kind) {
    let seeds = number("SESSILE_SIMULATION_SEEDS").unwrap_or(SEEDS);
    let from = number("SESSILE_SIMULATION_FROM").unwrap_or(0);
    let kept = KEPT.iter().filter(|(of, _)| *of == kind).map(|(_, seed)| *seed);
    let kept = kept.flat_map(|seed| Updates::ALL.map(|updates| Plan::new(kind, seed).with_updates(updates)));
    for plan in kept.chain((from..from + seeds).map(|seed| Plan::new(kind, seed))) {
        let seed = plan.seed;
        if let Err((check, what)) = run(&plan, false).verdict {
            let smallest = shrink::shrink(plan, check);
            let ran = run(&smallest, true);
            let trace = ran.trace.join("\n  ");
            panic!(
                "{kind:?}, seed {seed}: {check}: {what}\nThe least that fails so:\n{smallest}  {trace}\n{:?}",
                ran.verdict
            );
        }
    }
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let number = std::env::var(name).ok()?;
    Some(
        number
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {number}")),
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
fn visits_that_look_again() {
    try_seeds(Kind::Refreshing);
}

#[test]
fn visits_that_take_long_to_sessions_that_slide() {
    try_seeds(Kind::InTime);
}
